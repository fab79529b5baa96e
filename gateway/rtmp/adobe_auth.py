"""The login that Adobe's media servers and some content networks ask of a publisher (`authmod=adobe`), without any I/O.

The server refuses `connect` and says in the description what it wants; the client connects anew with the answer in the query of
its application, twice: first with the user name, then with a response to the server's salt and challenge. It is MD5 of its
time: whoever listens can try passwords at leisure, so RTMPS belongs around it.

    "code=403 need auth; authmod=adobe"                           -> ?authmod=adobe&user=U
    "authmod=adobe :?reason=needauth&user=U&salt=S&challenge=C" -> ?authmod=adobe&user=U&challenge=..&response=..
    "authmod=adobe :?reason=authfailed"                           -> the password is wrong

Pure; called from the event loop by `push`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable

from gateway.rtmp.push_errors import TargetRefused

STEPS = 3
"""Connections until the login has either worked or failed: without it, with the user name, with the response."""
_CHALLENGE_BYTES = 4
_MODE = re.compile(r"authmod=(\w{1,32})")


def asks_for_login(description: str) -> bool:
    """The description of a refused `connect` is about this login."""
    return "authmod=" in description or "?reason=" in description


def answer(description: str, username: str | None, password: str, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """The query to connect with next.

    Raises:
        TargetRefused: there is no login to answer with, it is wrong, or the server wants another kind.
    """
    mode = _MODE.search(description)
    if mode is not None and mode[1] != "adobe":
        raise TargetRefused(f"the server asks for a login of the kind {mode[1]!r}, which is not supported")
    if "reason=authfailed" in description or "reason=nosuchuser" in description:
        raise TargetRefused("the server refused the user name or password")
    if username is None:
        raise TargetRefused("the server asks for a login: put USER:PASSWORD@ before the host")
    asked = _parameters(description.partition("?reason=needauth")[2])
    if not asked:
        return f"?authmod=adobe&user={username}"
    ours = base64.b64encode(random_bytes(_CHALLENGE_BYTES)).decode("ascii")
    opaque = asked.get("opaque", "")
    response = respond(username, password, asked.get("salt", ""), opaque or asked.get("challenge", ""), ours)
    query = f"?authmod=adobe&user={username}&challenge={ours}&response={response}"
    return f"{query}&opaque={opaque}" if opaque else query


def respond(username: str, password: str, salt: str, theirs: str, ours: str) -> str:
    """The proof of the password. `theirs` is the server's opaque value, or its challenge where there is none."""
    return _digest(_digest(username + salt + password) + theirs + ours)


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.md5(text.encode(), usedforsecurity=False).digest()).decode("ascii")


def _parameters(query: str) -> dict[str, str]:
    """Base64 stands there as it is: its `+` is no space, so this is no ordinary query."""
    found: dict[str, str] = {}
    for part in re.split(r"[&\s\]]", query):
        name, mark, value = part.partition("=")
        if mark:
            found.setdefault(name, value)
    return found
