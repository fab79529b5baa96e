"""FFmpeg (through PyAV) as the viewer: what it decodes, and what it is told when it is not let in."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import av
import pytest

from gateway.http.authenticator import Authenticator, Scheme
from gateway.media.stream import Stream
from gateway.media.track import Codec
from gateway.rtsp.mount import Mount
from gateway.rtsp.server import RtspServer

pytestmark = pytest.mark.e2e

WATCH_S = 1.2
"""Longer than a GOP, so that a live keyframe is seen besides the cached one."""
QUICK = {"analyzeduration": "300000", "probesize": "100000", "fpsprobesize": "0"}


@dataclass
class Seen:
    """What a viewer got."""

    codecs: set[str] = field(default_factory=set)
    pictures: int = 0
    sounds: int = 0
    keyframes: int = 0
    video_pts: list[float] = field(default_factory=list)
    dts: dict[str, list[float]] = field(default_factory=dict)


def watch(url: str, transport: str) -> Seen:
    """Read and decode `WATCH_S` of media. Runs in a thread of its own."""
    seen = Seen()
    with av.open(url, options={"rtsp_transport": transport} | QUICK, timeout=(5.0, 5.0)) as container:
        seen.codecs = {stream.codec_context.name for stream in container.streams}
        for packet in container.demux():
            kind = packet.stream.type
            if packet.dts is not None:
                seen.dts.setdefault(kind, []).append(float(packet.dts * packet.time_base))
            seen.keyframes += kind == "video" and packet.is_keyframe
            for frame in packet.decode():
                if kind == "video":
                    seen.pictures += 1
                    if frame.time is not None:
                        seen.video_pts.append(frame.time)
                else:
                    seen.sounds += 1
            if len(seen.video_pts) > 1 and seen.video_pts[-1] - seen.video_pts[0] > WATCH_S:
                return seen
    return seen


@pytest.fixture
def show(make_player: Any) -> Callable[..., Any]:
    """Serve footage, and run a viewer of it in a thread."""

    def run(visit: Callable[[str], Any], *footage: Any, gate: Authenticator | None = None, login: str = "") -> Any:
        async def main() -> Any:
            stream = Stream("cam")
            mount = Mount(stream)
            server = RtspServer(lambda path, query: mount if path == "/cam" else None, gate)
            playing = asyncio.create_task(make_player(stream, *footage).run())
            port = await server.start("127.0.0.1", 0)
            try:
                return await asyncio.to_thread(visit, f"rtsp://{login}127.0.0.1:{port}")
            finally:
                playing.cancel()
                await server.stop()

        return asyncio.run(main())

    return run


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("case", ["h264+aac", "h264+pcmu", "h265+pcma", "b-frames+aac"])
def test_ffmpeg_plays_without_a_gap(
    show: Callable[..., Any], video_footage: Any, aac_footage: Any, g711_footage: Any, case: str, transport: str
) -> None:
    footage, codecs = {
        "h264+aac": ((video_footage(Codec.H264), aac_footage()), {"h264", "aac"}),
        "h264+pcmu": ((video_footage(Codec.H264), g711_footage()), {"h264", "pcm_mulaw"}),
        "h265+pcma": ((video_footage(Codec.H265), g711_footage(Codec.PCMA)), {"hevc", "pcm_alaw"}),
        "b-frames+aac": ((video_footage(Codec.H264, b_frames=3), aac_footage()), {"h264", "aac"}),
    }[case]
    seen: Seen = show(lambda url: watch(url + "/cam", transport), *footage)
    assert seen.codecs == codecs
    assert seen.sounds > 10
    assert seen.keyframes >= 2
    steps = [after - before for before, after in itertools.pairwise(seen.video_pts)]
    assert steps == pytest.approx([0.04] * len(steps), abs=0.002)
    for times in seen.dts.values():
        assert times == sorted(set(times))


@pytest.mark.parametrize(
    "gate",
    [
        Authenticator({"user": "pw"}, schemes=(Scheme.BASIC,)),
        Authenticator({"user": "pw"}, schemes=(Scheme.DIGEST,)),
        Authenticator({"user": "pw"}, schemes=(Scheme.DIGEST,), qop=True),
        Authenticator({"user": "pw"}),
    ],
    ids=["basic", "digest", "digest-qop", "both"],
)
def test_ffmpeg_logs_in_and_a_wrong_password_is_told_apart_from_a_wrong_path(
    show: Callable[..., Any], video_footage: Any, gate: Authenticator
) -> None:
    def visit(url: str) -> None:
        with av.open(url + "/cam", options={"rtsp_transport": "tcp"} | QUICK, timeout=(5.0, 5.0)) as container:
            assert next(container.demux()).is_keyframe
        with pytest.raises(av.error.HTTPUnauthorizedError):
            av.open(url.replace("user:pw", "user:no") + "/cam", timeout=5.0)
        with pytest.raises(av.error.HTTPNotFoundError):
            av.open(url + "/other", timeout=5.0)

    show(visit, video_footage(Codec.H264), gate=gate, login="user:pw@")
