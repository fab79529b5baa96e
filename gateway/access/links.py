"""Signed addresses: a token that opens one stream until a moment, for a player that cannot log in. Pure, any thread.

    link.<expiry, hexadecimal Unix seconds>.<user>.<stream>.<seal>

Nothing is stored. The seal covers the right as well, and a mark of the user who made the link: once he is gone, or has
logged out everywhere, his links are waste paper. An expiry of 0 is for what our own playlists name after a player has shown
a password: it lasts as long as the password does, because its mark is made of that.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass

PREFIX = "link."
SEAL_CHARS = 24
"""18 bytes, 144 bits."""
MAX_LINK_CHARS = 256
_USER = r"[a-z0-9][a-z0-9-]{0,62}"
_LINK = re.compile(
    rf"link\.(?P<expires>[0-9a-f]{{1,11}})\.(?P<user>{_USER})\.(?P<stream>{_USER}(?:\.sub)?)\.(?P<seal>[A-Za-z0-9_-]{{24}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says, before anybody has looked at its seal. `expires` is in Unix seconds; 0: with the password."""

    stream: str
    user: str
    expires: int
    seal: str = ""


def parse_link(text: str) -> Link | None:
    """The parts of a link, None for anything else."""
    match = _LINK.fullmatch(text) if len(text) <= MAX_LINK_CHARS else None
    return Link(match["stream"], match["user"], int(match["expires"], 16), match["seal"]) if match else None


class LinkSealer:
    """Makes seals and checks them. `key` is used for nothing else."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, stream: str, user: str, expires: int, mark: str) -> str:
        """A link; `mark` is the user's. Raises ValueError for a stream or user that no link can name."""
        text = f"{PREFIX}{expires:x}.{user}.{stream}.{self._seal(Link(stream, user, expires), mark)}"
        if parse_link(text) is None:
            raise ValueError("no link can be made for this stream and user")
        return text

    def good(self, link: Link, mark: str) -> bool:
        """Whether we have made it, for a user with this mark. Constant time; says nothing about its expiry."""
        return hmac.compare_digest(self._seal(link, mark), link.seal)

    def _seal(self, link: Link, mark: str) -> str:
        text = f"view\0{link.stream}\0{link.user}\0{link.expires:x}\0{mark}"
        return base64.urlsafe_b64encode(hmac.digest(self._key, text.encode(), "sha256")[:18]).decode()
