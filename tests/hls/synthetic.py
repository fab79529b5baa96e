"""A camera of numbers: frames with the timing a test asks for, without an encoder."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from gateway.hls.playlist import MediaPlaylist, media_playlist
from gateway.hls.window import Window
from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig

VIDEO = TrackConfig(
    Codec.H264, 90_000, bytes.fromhex("0164000cffe100166764000cacb20282f420000003002000000651e2854901000668ebc3cb22c0fdf8f800"),
    "avc1.64000C", width=320, height=176,
)  # fmt: skip
AUDIO = TrackConfig(Codec.AAC, 48_000, bytes.fromhex("1190"), "mp4a.40.2", sample_rate=48_000, channels=2)
WALL = 1_700_000_000.0


def video(ticks: int, *, key: bool = False, broken: bool = False, size: int = 500, pts: int | None = None) -> Frame:
    """A video frame at `ticks` of 90 kHz; its payload tells which one it is."""
    payload = (f"v{ticks}".encode() + b"v" * size)[:size]
    shown = ticks if pts is None else pts
    return Frame(VIDEO, ticks, shown, 3600, key, broken, WALL + ticks / 90_000, payload)


def audio(samples: int, duration: int = 1024) -> Frame:
    """An audio frame at `samples` of 48 kHz."""
    return Frame(AUDIO, samples, samples, duration, True, False, WALL + samples / 48_000, f"a{samples}".encode())


def camera(
    seconds: float, *, fps: float = 25, gop: int = 50, start_s: float = 0.0, with_audio: bool = False
) -> Iterator[Frame]:
    """A regular camera: frames of both tracks in the order of their times."""
    sound = count(round(start_s * 48_000), 1024) if with_audio else iter(())
    next_sound = next(sound, None)
    for index in range(round(seconds * fps)):
        ticks = round((start_s + index / fps) * 90_000)
        while next_sound is not None and next_sound / 48_000 < ticks / 90_000:
            yield audio(next_sound)
            next_sound = next(sound)
        yield video(ticks, key=index % gop == 0)


@dataclass
class Traf:
    """One track of a fragment as read back."""

    track_id: int
    decode_time: int
    durations: list[int]
    sizes: list[int]
    flags: list[int]
    offsets: list[int]
    payload: bytes

    @property
    def end(self) -> int:
        return self.decode_time + sum(self.durations)


def boxes(data: bytes) -> list[tuple[str, bytes]]:
    """The boxes of one level; they must fill `data` exactly."""
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert 8 <= size <= len(data) - at, "box does not fit"
        found.append((kind.decode(), data[at + 8 : at + size]))
        at += size
    return found


def trafs(fragment: bytes) -> list[Traf]:
    """Read back a `moof+mdat`."""
    (moof_kind, moof), (mdat_kind, _) = boxes(fragment)
    assert (moof_kind, mdat_kind) == ("moof", "mdat")
    out = []
    for kind, body in boxes(moof)[1:]:
        assert kind == "traf"
        inner = dict(boxes(body))
        if "trun" not in inner:
            flags, track_id = struct.unpack(">II", inner["tfhd"])
            assert flags == 0x030000, "no samples: duration-is-empty"
            out.append(Traf(track_id, struct.unpack(">IQ", inner["tfdt"])[1], [], [], [], [], b""))
            continue
        assert list(inner) == ["tfhd", "tfdt", "trun"]
        flags, track_id = struct.unpack(">II", inner["tfhd"])
        assert flags == 0x020000
        version, decode_time = struct.unpack(">IQ", inner["tfdt"])
        assert version == 1 << 24
        head, samples, offset = struct.unpack_from(">IIi", inner["trun"])
        assert head == 0x01000F01
        rows = list(struct.iter_unpack(">IIIi", inner["trun"][12:]))
        assert len(rows) == samples
        durations, sizes, sample_flags, offsets = (list(column) for column in zip(*rows, strict=True))
        payload = fragment[offset : offset + sum(sizes)]
        out.append(Traf(track_id, decode_time, durations, sizes, sample_flags, offsets, payload))
    return out


def render(window: Window, suffix: str = "") -> str:
    """The media playlist of a window, sealed as if a client had asked."""
    window.cutter.seal()
    return media_playlist(
        MediaPlaylist(
            f"{window.run_id}/",
            window.cutter.target_duration,
            window.cutter.part_target_us,
            window.media_sequence,
            window.discontinuity_sequence,
            window.segments,
            window.next_part,
        ),
        suffix,
    )
