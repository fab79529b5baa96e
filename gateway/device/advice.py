"""What could be set better in a camera, in plain words. Pure.

Every piece has a key, by which pages translate it, and an English sentence with the same placeholders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LONG_KEYFRAME_S = 4.0
"""Viewers wait for a keyframe; up to this long they hardly complain."""
WRONG_CLOCK_S = 5.0
"""From here on cameras refuse signed requests of other programs, and recordings do not fit together."""
SLOW_SHARE = 0.7
"""Of the frame rate that is set. Less is a camera or a network that is overworked, or dim light."""
UNEVEN_S = 0.12
"""Three pictures at 25 fps. A cable gives 1 to 10 ms, also where keyframes are large; good Wi-Fi 5 to 40."""
MANY_LOST = 100
LARGE_SUB_PIXELS = 1280 * 720
LARGE_SUB_BITRATE = 1_500_000

TEXTS = {
    "keyframes": "The {stream} stream has a keyframe every {seconds} s: set 1 to 2 s ({pictures} pictures) in the camera, so"
    " that viewers start at once.",
    "no_keyframe": "The {stream} stream had no second keyframe within {seconds} s: set the keyframe interval to 1 to 2 s and"
    " switch off smart codecs (H.264+, H.265+, Zipstream).",
    "h265_main": "The main stream is H.265, which not every browser plays: set H.264 in the camera if tiles say so.",
    "h265_sub": "The sub stream is H.265: set H.264, which every browser plays.",
    "no_sub": "There is no second, smaller stream: the wall has to show the large one in every tile.",
    "large_sub": "The sub stream is {width}x{height} at {kbits} kbit/s: 640x360 at 500 kbit/s is enough for a tile.",
    "slow": "The {stream} stream delivers {fps} of {set_fps} pictures a second: the camera or its network is overworked, or"
    " it exposes longer in dim light.",
    "uneven": "The pictures of the {stream} stream arrive unevenly, by {milliseconds} ms on average: the network is weak. A"
    " cable, or a better place for the Wi-Fi, helps.",
    "losses": "{packets} packets of the {stream} stream were lost today: the network is weak, or transport: tcp helps.",
    "clock_fast": "The camera's clock is {seconds} s fast: set it from the gateway, or give the camera an NTP server.",
    "clock_slow": "The camera's clock is {seconds} s slow: set it from the gateway, or give the camera an NTP server.",
    "audio": "The sound is {note}: AAC in the camera would spare the gateway the work.",
}


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing to change. `params` fill the placeholders."""

    key: str
    params: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """In English."""
        return TEXTS[self.key].format(**self.params)


@dataclass(frozen=True, slots=True)
class Observed:
    """A stream as measured. Zeros for what is not known; `set_fps` is what the camera says it is set to."""

    role: str
    """`main` or `sub`."""
    codec: str
    width: int
    height: int
    fps: float
    bitrate: float
    keyframe_interval: float
    watched_s: float
    """How long it was watched for keyframes; 0: too short to miss one."""
    audio_note: str = ""
    set_fps: float = 0.0
    jitter_s: float = 0.0
    """How unevenly pictures arrive."""
    lost: int = 0
    """RTP packets that never came, today."""


def advise(streams: Sequence[Observed], clock_offset_s: float | None, *, expects_sub: bool = True) -> tuple[Advice, ...]:
    """What to change, the most useful first. `clock_offset_s` None: the camera's clock is not known."""
    found = [piece for stream in streams for piece in _of_stream(stream)]
    if expects_sub and streams and all(stream.role != "sub" for stream in streams):
        found.append(Advice("no_sub"))
    if clock_offset_s is not None and abs(clock_offset_s) >= WRONG_CLOCK_S:
        direction = "fast" if clock_offset_s > 0 else "slow"
        found.append(Advice(f"clock_{direction}", {"seconds": str(round(abs(clock_offset_s)))}))
    order = list(TEXTS)
    return tuple(sorted(found, key=lambda piece: order.index(piece.key)))


def _of_stream(stream: Observed) -> list[Advice]:
    found = []
    if stream.keyframe_interval >= LONG_KEYFRAME_S:
        params = {"stream": stream.role, "seconds": f"{stream.keyframe_interval:.0f}"}
        found.append(Advice("keyframes", params | {"pictures": f"{2 * round(stream.fps or 25)}"}))
    elif not stream.keyframe_interval and stream.watched_s >= LONG_KEYFRAME_S:
        found.append(Advice("no_keyframe", {"stream": stream.role, "seconds": f"{stream.watched_s:.0f}"}))
    if stream.codec == "h265":
        found.append(Advice(f"h265_{stream.role}"))
    large = stream.width * stream.height > LARGE_SUB_PIXELS or stream.bitrate > LARGE_SUB_BITRATE
    if stream.role == "sub" and large:
        size = {"width": str(stream.width), "height": str(stream.height)}
        found.append(Advice("large_sub", size | {"kbits": f"{stream.bitrate / 1000:.0f}"}))
    if 0 < stream.fps < stream.set_fps * SLOW_SHARE:
        params = {"stream": stream.role, "fps": f"{stream.fps:.0f}", "set_fps": f"{stream.set_fps:.0f}"}
        found.append(Advice("slow", params))
    if stream.jitter_s >= UNEVEN_S:
        found.append(Advice("uneven", {"stream": stream.role, "milliseconds": f"{1000 * stream.jitter_s:.0f}"}))
    if stream.lost >= MANY_LOST:
        found.append(Advice("losses", {"stream": stream.role, "packets": str(stream.lost)}))
    if "transcoded" in stream.audio_note and stream.role == "main":
        found.append(Advice("audio", {"note": stream.audio_note}))
    return found
