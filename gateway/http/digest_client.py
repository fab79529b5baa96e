"""HTTP Digest authentication (RFC 7616, and RFC 2069 without qop), client side. Pure; any thread.

Hikvision and INSTAR want it for SOAP; old firmware knows only MD5, new firmware offers SHA-256 beside it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_SCHEME = re.compile(r"(?:^|,)\s*([A-Za-z][\w-]*)\s+(?=[\w-]+\s*=)")
_PARAMETER = re.compile(r'([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_HASHES: dict[str, Callable[[bytes], str]] = {
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "sha-256": lambda data: hashlib.sha256(data).hexdigest(),
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server wants to be answered."""

    realm: str
    nonce: str
    algorithm: str
    """As sent, e.g. `MD5`, `SHA-256-sess`; empty where it was not, and then it is MD5."""
    qop: bool
    """Whether `qop=auth` is offered; without it the old form of RFC 2069 is used."""
    opaque: str | None
    stale: bool
    """The nonce was too old; name and password were right."""


def find_challenge(headers: Iterable[str]) -> Challenge | None:
    """The first Digest challenge we can answer in `WWW-Authenticate` headers; the server lists its favourite first."""
    for header in headers:
        marks = list(_SCHEME.finditer(header))
        ends = [*(mark.start() for mark in marks), len(header)][1:]
        for mark, end in zip(marks, ends, strict=True):
            if mark.group(1).lower() == "digest" and (challenge := _read(header[mark.end() : end])) is not None:
                return challenge
    return None


def _read(text: str) -> Challenge | None:
    values = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(text)}
    algorithm = values.get("algorithm", "")
    if "nonce" not in values or _name(algorithm).removesuffix("-sess") not in _HASHES:
        return None
    offered = {option.strip().lower() for option in values.get("qop", "").split(",")} - {""}
    if offered and "auth" not in offered:
        return None  # auth-int alone: no camera is known to want it
    return Challenge(
        realm=values.get("realm", ""),
        nonce=values["nonce"],
        algorithm=algorithm,
        qop=bool(offered),
        opaque=values.get("opaque"),
        stale=values.get("stale", "").lower() == "true",
    )


def _name(algorithm: str) -> str:
    return algorithm.lower() or "md5"


def authorization(challenge: Challenge, method: str, uri: str, username: str, password: str, *, cnonce: str, count: int) -> str:
    """Value of the `Authorization` header. `count` is the number of this request under the nonce, from 1."""
    name = _name(challenge.algorithm)
    digest = _HASHES[name.removesuffix("-sess")]
    ha1 = digest(f"{username}:{challenge.realm}:{password}".encode())
    if name.endswith("-sess"):
        ha1 = digest(f"{ha1}:{challenge.nonce}:{cnonce}".encode())
    ha2 = digest(f"{method}:{uri}".encode())
    nc = f"{count:08x}"
    middle = f"{challenge.nonce}:{nc}:{cnonce}:auth" if challenge.qop else challenge.nonce
    quoted = username.replace("\\", "\\\\").replace('"', '\\"')
    parts = [
        f'username="{quoted}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
        f'response="{digest(f"{ha1}:{middle}:{ha2}".encode())}"',
    ]
    if challenge.algorithm:  # cameras of RFC 2069 do not know the word
        parts.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        parts.append(f'opaque="{challenge.opaque}"')
    if challenge.qop:
        parts += ["qop=auth", f"nc={nc}", f'cnonce="{cnonce}"']
    # Header fields are Latin-1 on the wire; a name with other letters travels as the bytes of its UTF-8.
    return ("Digest " + ", ".join(parts)).encode("utf-8").decode("latin-1")
