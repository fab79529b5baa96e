"""API tokens: random secrets for programs, of which only SHA-256 is kept. Pure.

A password needs a slow hash because people choose it; 256 random bits do not, and a token is judged at every request.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.access.grants import EVERYTHING, Grant, Right

PREFIX = "cg_"
ID_CHARS = 8
_TOKEN = re.compile(r"cg_(?P<id>[0-9a-f]{8})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?", re.ASCII)
LAST_S = 253_402_214_400.0
"""The last day of 9999, in Unix seconds: what comes after, no calendar can write."""
IMPLIED = {
    Right.VIEW: frozenset({Right.VIEW}),
    Right.OPERATE: frozenset({Right.VIEW, Right.OPERATE}),
    Right.METRICS: frozenset({Right.METRICS}),
    Right.ADMIN: EVERYTHING,
}


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token as it is kept. Times are Unix seconds."""

    id: str
    name: str
    digest: str
    """SHA-256 of the whole token, in hexadecimal digits."""
    scopes: tuple[Right, ...]
    cameras: tuple[str, ...] | None
    """None: all."""
    created: float
    expires: float | None
    created_by: str

    @property
    def user(self) -> str:
        """As whom it acts, in the records."""
        return f"token:{self.name}"

    def grant(self) -> Grant:
        """What it opens, until it expires."""
        rights = frozenset[Right]().union(*(IMPLIED[scope] for scope in self.scopes))
        cameras = frozenset(self.cameras) if self.cameras is not None else None
        return Grant(self.user, rights, cameras, until=self.expires if self.expires is not None else math.inf)


@dataclass(frozen=True, slots=True)
class TokenWish:
    """What a new token shall be. Raises ValueError with a sentence if there can be no such token."""

    name: str
    scopes: tuple[Right, ...]
    cameras: tuple[str, ...] | None = None
    expires: float | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError("a token's name is at most 64 letters, digits, blanks, dots and dashes")
        if not self.scopes:
            raise ValueError(f"a token needs a scope: {', '.join(right.value for right in Right)}")
        if self.expires is not None and self.expires > LAST_S:
            raise ValueError("the lifetime is too long; leave it out for a token that is good until it is revoked")
        if self.cameras is not None and not self.cameras:
            raise ValueError("the list of cameras is empty; leave it out for all")
        if self.cameras is not None and Right.ADMIN in self.scopes:
            raise ValueError("an admin's token cannot be limited to cameras")


def new_token(wish: TokenWish, created_by: str, now: float, taken: Iterable[ApiToken]) -> tuple[ApiToken, str]:
    """The token as it is kept, and its text, which is shown once. Raises ValueError if the name is taken."""
    known = tuple(taken)
    if any(token.name == wish.name for token in known):
        raise ValueError("there is a token of this name already: revoke it, or take another name")
    ids = {token.id for token in known}
    token_id = next(one for one in iter(lambda: secrets.token_hex(ID_CHARS // 2), "") if one not in ids)
    text = f"{PREFIX}{token_id}_{secrets.token_urlsafe(32)}"
    token = ApiToken(token_id, wish.name, _digest(text), wish.scopes, wish.cameras, now, wish.expires, created_by)
    return token, text


def id_in(text: str) -> str:
    """The id in a token's text, empty if it is none."""
    match = _TOKEN.fullmatch(text)
    return match["id"] if match else ""


def matches(token: ApiToken, text: str) -> bool:
    """Whether `text` is this token, in constant time."""
    return hmac.compare_digest(token.digest, _digest(text))


def to_json(token: ApiToken) -> dict[str, Any]:
    """The token without its digest."""
    return {
        "id": token.id,
        "name": token.name,
        "scopes": [scope.value for scope in token.scopes],
        "cameras": list(token.cameras) if token.cameras is not None else None,
        "created": token.created,
        "expires": token.expires,
        "created_by": token.created_by,
    }


def from_json(fields: Any) -> ApiToken:
    """A token as it stands in the file. Raises ValueError, KeyError or TypeError for anything else."""
    cameras, expires = fields["cameras"], fields["expires"]
    return ApiToken(
        id=str(fields["id"]),
        name=str(fields["name"]),
        digest=str(fields["digest"]),
        scopes=tuple(Right(scope) for scope in fields["scopes"]),
        cameras=tuple(str(camera) for camera in cameras) if cameras is not None else None,
        created=float(fields["created"]),
        expires=float(expires) if expires is not None else None,
        created_by=str(fields["created_by"]),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
