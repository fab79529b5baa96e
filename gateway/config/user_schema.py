"""What may be written about people in config.yaml: `users`, and the proxy that may name them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, PlainValidator, ValidationInfo

from gateway.config.fields import (
    Label,
    Section,
    choice,
    null_is_absent,
    null_is_no_list,
    read_identifier,
    read_secret,
    reader,
)
from gateway.config.model import Role
from gateway.config.secrets import Secret

BUILT_IN = "admin"
RESERVED = frozenset({"viewer", "anonymous"})
"""Names the gateway itself gives in its records to those who have none."""
MAX_HASH_BYTES = 64 * 2**20
"""A hash says itself how much memory checking it takes; werkzeug's own take 32 MB, and two are checked at a time."""
_HASH = re.compile(r"scrypt:(\d{1,7}):(\d{1,3}):(\d{1,2})\$[!-#%-~]{1,64}\$[0-9a-f]{128}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


def _password_hash(value: object, info: ValidationInfo) -> Secret:
    secret = read_secret(value, info)
    match = _HASH.fullmatch(secret.reveal())
    if match is None:
        raise ValueError("must be a hash as `gateway passwd --hash` prints it, not the password itself")
    cost, block, lanes = (int(number) for number in match.groups())
    if cost < 2 or cost & (cost - 1) or not block or not lanes:
        raise ValueError("must be a hash as `gateway passwd --hash` prints it")
    if 128 * cost * block * lanes > MAX_HASH_BYTES:
        raise ValueError("takes more than 64 MB to check: make it with `gateway passwd --hash`")
    return secret


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError:
        raise ValueError("must be an address or a network, such as 127.0.0.1 or 10.0.0.0/24") from None


def _header_name(text: str) -> str:
    if not _HEADER.fullmatch(text):
        raise ValueError("must be the name of a header field, such as X-Forwarded-User")
    if text.lower() in ("authorization", "cookie", "host", "x-forwarded-for", "x-forwarded-proto"):
        raise ValueError("has another meaning: take a name of its own, such as X-Forwarded-User")
    return text.lower()


def _user_name(text: str) -> str:
    if text == BUILT_IN:
        raise ValueError('is the built-in admin, whose password is set with "gateway passwd": take another name')
    if text in RESERVED:
        raise ValueError("is a name the gateway uses itself: take another one")
    return read_identifier(text)


class ProxySection(Section):
    addresses: Annotated[tuple[Annotated[str, PlainValidator(reader(_network))], ...], BeforeValidator(null_is_no_list)]
    user_header: Annotated[str, PlainValidator(reader(_header_name))] | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not self.addresses:
            yield "addresses", "names no proxy"


class UserEntry(Section):
    password_hash: Annotated[Secret, PlainValidator(_password_hash)]
    role: Annotated[Role, PlainValidator(choice(Role))]
    cameras: Annotated[tuple[Label, ...], BeforeValidator(null_is_no_list)] | None = None
    groups: Annotated[tuple[Label, ...], BeforeValidator(null_is_no_list)] | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        for key, what in (("cameras", "camera"), ("groups", "group")):
            names = getattr(self, key)
            if names is not None and not names:
                yield key, f"names no {what}: remove the line if the user may see all cameras"
            elif names is not None and self.role is Role.ADMIN:
                yield key, "an admin sees all cameras: remove the line, or give another role"


Users = Annotated[dict[Annotated[str, BeforeValidator(_user_name)], UserEntry], BeforeValidator(null_is_absent)]
