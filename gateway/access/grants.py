"""What somebody may: rights, on which cameras, and for how long. Pure, any thread."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.config.model import Config, Role


class Right(enum.Enum):
    """What a route asks for."""

    VIEW = "view"
    OPERATE = "operate"
    """Steer cameras."""
    ADMIN = "admin"
    METRICS = "metrics"
    """Read figures: the scope of a token for a monitoring system, which has no business with pictures."""


EVERYTHING = frozenset(Right)
OF_ROLE: Mapping[Role, frozenset[Right]] = {
    Role.ADMIN: EVERYTHING,
    Role.OPERATOR: frozenset({Right.VIEW, Right.OPERATE}),
    Role.VIEWER: frozenset({Right.VIEW}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """What one caller may."""

    user: str
    """A name of the configuration, or one that says what was shown: `token:NAME`, `link:USER`."""
    rights: frozenset[Right]
    cameras: frozenset[str] | None = None
    """None: all, also those that come later."""
    stream: str = ""
    """The only stream there is for it, if not empty: a signed address."""
    until: float = math.inf
    """Unix seconds."""
    mark: str = field(default="", repr=False)
    """Of what it rests on; see `gateway.access.keyring`."""

    def shows(self, camera_id: str) -> bool:
        """Whether there is such a camera as far as this caller is concerned."""
        if self.stream and camera_id != camera_of(self.stream):
            return False
        return self.cameras is None or camera_id in self.cameras

    def plays(self, stream_id: str) -> bool:
        """Whether this stream (`ID` or `ID.sub`) may be played."""
        return self.stream in ("", stream_id) and self.shows(camera_of(stream_id))


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the configuration, with groups resolved."""

    name: str
    password_hash: str
    role: Role
    cameras: frozenset[str] | None

    def grant(self) -> Grant:
        """What the user may."""
        return Grant(self.name, OF_ROLE[self.role], self.cameras)


def camera_of(stream_id: str) -> str:
    """The camera a stream belongs to; ids of cameras hold no dot."""
    return stream_id.partition(".")[0]


def accounts_of(config: Config) -> dict[str, Account]:
    """The users of a configuration by name. A user limited to groups sees what is in them now."""
    found = {}
    for user in config.users:
        cameras: frozenset[str] | None = None
        if user.cameras is not None or user.groups is not None:
            grouped = (camera.id for camera in config.cameras if camera.group in (user.groups or ()))
            cameras = frozenset((*(user.cameras or ()), *grouped))
        found[user.name] = Account(user.name, user.password_hash.reveal(), user.role, cameras)
    return found
