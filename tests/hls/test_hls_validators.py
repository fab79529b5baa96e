"""A thousand consecutive playlists before two judges: our linter, and a parser that is not ours."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from playlist_linter import Linter
from synthetic import VIDEO, camera
from validators import complaints

from gateway.hls.channel import Channel
from gateway.hls.cutter import Pace
from gateway.media.frame import Frame
from gateway.media.stream import Stream
from gateway.media.track import Kind

PLAYLISTS = 1000
WINDOW_S = 40.0
"""Long enough for delta updates."""


def restless_camera() -> Iterator[Frame]:
    """A camera with sound that reconnects, changes its resolution, freezes for a moment, and goes on."""
    resized = replace(VIDEO, width=640, height=360)
    for session in itertools.count():
        start_s = session * 75.0
        for frame in camera(70.0, start_s=start_s, with_audio=session % 2 == 0):
            if frame.kind is Kind.VIDEO:
                if 20 < frame.seconds - start_s < 22:
                    continue
                frame = replace(
                    frame,
                    config=resized if session % 3 == 2 else VIDEO,
                    discontinuity=session > 0 and frame.seconds - start_s < 0.01,
                    keyframe=frame.keyframe or frame.seconds - start_s == 22,
                )
            yield frame


def playlists(count: int) -> tuple[list[str], list[str]]:
    """`count` consecutive versions of the media playlist, and the delta update of each."""
    now = [0.0]
    stream = Stream("cam", monotonic=lambda: now[0])
    channel = Channel(stream, Pace(0.2, 2.0), WINDOW_S, first_number=1_800_000_000, monotonic=lambda: now[0])
    channel.attach()
    stream.begin(frozenset({Kind.VIDEO, Kind.AUDIO}))
    whole: list[str] = []
    deltas: list[str] = []
    version = -1
    for frame in restless_camera():
        now[0] = frame.seconds
        stream.push([frame])
        if channel.window.ready and channel.window.version != version:
            whole.append(channel.media("").plain.decode())
            deltas.append(channel.media("", delta=True).plain.decode())
            version = channel.window.version
            if len(whole) == count:
                return whole, deltas
    raise AssertionError


def test_a_thousand_consecutive_playlists_and_delta_updates_are_valid() -> None:
    whole, deltas = playlists(PLAYLISTS)
    linter, merging = Linter(), Linter()
    merging.check(whole[0])
    for text, delta in zip(whole[1:], deltas[1:], strict=True):
        assert merging.check(delta).segments == linter.check(text).segments
    assert sum("#EXT-X-SKIP" in delta for delta in deltas) > PLAYLISTS / 2
    assert sum("#EXT-X-DISCONTINUITY\n" in text for text in whole) > PLAYLISTS / 4
    assert complaints(whole) == []
    assert complaints(deltas) == []
