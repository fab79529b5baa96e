"""Which tracks of a stream a player gets.

H.264 and AAC go to everybody; H.265, AV1 and Opus need a player with Enhanced RTMP. Few say that they are one: no version of
FFmpeg does when it plays, although 6.1 and later show H.265 and AV1, and 8.0 plays Opus. Older ones, and with them VLC 3 and
the players of Debian 12, show nothing of such a picture; and Opus makes them lose the H.264 picture beside it. So:

- What a player announces it gets.
- A picture that it does not announce is a matter of the stream's policy: SEND (newer players show it, older ones show
  nothing), SUB (the camera's H.264 sub stream, which the connection looks for; without one as SEND) or REFUSE.
- Sound that it does not announce is left out wherever there is a picture, because it would cost the picture.

Pure; event loop only.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.config.model import UnannouncedPicture
from gateway.media.track import Codec, Kind, Tracks
from gateway.rtmp import flv
from gateway.rtmp.capabilities import Capabilities

_SPOKEN = {Codec.H265: "H.265", Codec.AV1: "AV1", Codec.OPUS: "Opus", Codec.PCMU: "G.711", Codec.PCMA: "G.711"}


@dataclass(frozen=True, slots=True)
class Fit:
    """What one player gets of a stream."""

    video: bool = True
    audio: bool = True
    refusal: str = ""
    """Why it gets nothing at all, for the player to show."""
    note: str = ""
    """What it does not get, or might not be able to show; for the log and for players that show it."""


def fit(tracks: Tracks, player: Capabilities, policy: UnannouncedPicture) -> Fit:
    """Choose among `tracks`."""
    missing = {track.kind: track for track in tracks if not _certain(track.codec, player)}
    picture, sound = missing.get(Kind.VIDEO), missing.get(Kind.AUDIO)
    video = picture is None or (flv.carries(picture.codec) and policy is not UnannouncedPicture.REFUSE)
    alone = not any(track.kind is Kind.VIDEO for track in tracks)
    audio = sound is None or (alone and flv.carries(sound.codec) and policy is not UnannouncedPicture.REFUSE)
    if not video or (alone and not audio):
        names = " and ".join(_SPOKEN[track.codec] for track in (picture, sound) if track is not None)
        return Fit(video, audio, f"the stream is {names}, which needs a player with Enhanced RTMP; use HLS or the web page")
    notes = []
    if picture is not None:
        notes.append(f"the picture is {_SPOKEN[picture.codec]}, which players without Enhanced RTMP cannot show")
    if sound is not None and not audio:
        notes.append(f"the sound is left out: it is {_SPOKEN[sound.codec]}, and this player announces none")
    return Fit(video, audio, note="; ".join(notes))


def plain(tracks: Tracks) -> bool:
    """There is a picture, and every player can show it."""
    return any(track.codec is Codec.H264 for track in tracks)


def _certain(codec: Codec, player: Capabilities) -> bool:
    return flv.carries(codec) and (not flv.fourcc(codec) or player.takes(flv.fourcc(codec)))
