"""Serialised media as all players of a stream share it. Immutable; event loop only."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Want(enum.Enum):
    """Which tracks a player takes."""

    ALL = "all"
    VIDEO = "video"
    AUDIO = "audio"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Batch:
    """Audio messages and then video messages, to be sent in one write."""

    whole: bytes
    audio_bytes: int
    """So much of `whole` is audio."""
    keyframe: bool
    """A player can start here."""

    def view(self, want: Want) -> bytes:
        """The bytes for such a player. No copy for those who take everything, which is nearly all of them."""
        if want is Want.ALL:
            return self.whole
        if want is Want.VIDEO:
            return self.whole[self.audio_bytes :]
        return self.whole[: self.audio_bytes] if want is Want.AUDIO else b""


@dataclass(frozen=True, slots=True)
class Headers:
    """Metadata and sequence headers for each kind of player."""

    whole: bytes
    video: bytes
    audio: bytes

    def view(self, want: Want) -> bytes:
        """The bytes for such a player."""
        return {Want.ALL: self.whole, Want.VIDEO: self.video, Want.AUDIO: self.audio}.get(want, b"")
