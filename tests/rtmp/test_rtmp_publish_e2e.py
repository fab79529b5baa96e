"""Real encoders against the real server: each sends a few seconds, and FFmpeg plays them back from the same server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import sys
from collections.abc import AsyncIterator

import pytest
import uvloop

from gateway.config.model import Secret
from gateway.media.state import State
from gateway.media.track import Codec
from gateway.rtmp.server import Action, Credentials, RtmpServer
from gateway.sources.publish import PublishSource

pytestmark = pytest.mark.e2e

CLIENT_S = 40.0
PICTURE = "-f lavfi -i testsrc=size=160x120:rate=25"
H264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 25"
TONE = "-f lavfi -i sine=sample_rate=48000"

ENHANCED = """
import sys
from fractions import Fraction
import av, numpy, time
out = av.open(sys.argv[1], "w", format="flv")
options = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:bframes=2"}
stream = out.add_stream("libx265", rate=25, options=options)
stream.width, stream.height, stream.pix_fmt, stream.codec_context.gop_size = 160, 120, "yuv420p", 25
began = time.monotonic()
for number in range(int(sys.argv[2]) * 25):
    picture = numpy.full((120, 160, 3), number % 256, numpy.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    frame.pts, frame.time_base = number, Fraction(1, 25)
    for packet in stream.encode(frame):
        out.mux(packet)
    time.sleep(max(0, began + number / 25 - time.monotonic()))
for packet in stream.encode(None):
    out.mux(packet)
out.close()
"""

GSTREAMER = """
import sys, gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
Gst.init(None)
pipeline = Gst.parse_launch(
    "videotestsrc is-live=true num-buffers=125 ! video/x-raw,format=I420,width=160,height=120,framerate=25/1 "
    "! x264enc speed-preset=ultrafast key-int-max=25 bframes=2 ! h264parse ! mux. "
    "audiotestsrc is-live=true num-buffers=230 ! audio/x-raw,rate=48000,channels=1 ! avenc_aac ! aacparse ! mux. "
    "flvmux name=mux streamable=true ! rtmp2sink location=" + sys.argv[1]
)
pipeline.set_state(Gst.State.PLAYING)
message = pipeline.get_bus().timed_pop_filtered(20 * Gst.SECOND, Gst.MessageType.EOS | Gst.MessageType.ERROR)
failed = message is not None and message.type == Gst.MessageType.ERROR
print(message.parse_error() if failed else message.type if message else "timeout")
pipeline.set_state(Gst.State.NULL)
"""


class Watcher:
    def __init__(self) -> None:
        self.tracks: list = []
        self.frames: list = []

    def on_tracks(self, tracks) -> None:
        self.tracks.append(tracks)

    def on_frame(self, frame) -> None:
        self.frames.append(frame)


class Studio:
    def __init__(self, *names: str) -> None:
        self.sources = {name: PublishSource(name, Secret("sesame")) for name in names}
        self.watchers = {name: Watcher() for name in names}
        for name, source in self.sources.items():
            source.start()
            source.stream.subscribe(self.watchers[name])
        self.server = RtmpServer(self._stream, self._may, publish=self.sources.get)

    def _may(self, who: Credentials) -> bool:
        return who.action is Action.PLAY or self.sources[who.stream].admits(who.params)

    def _stream(self, name: str):
        return self.sources[name].stream if name in self.sources else None

    def url(self, name: str, key: str = "?key=sesame") -> str:
        return f"rtmp://127.0.0.1:{self.server.port}/live/{name}{key}"

    async def publish(self, name: str, options: str, seconds: float, key: str = "?key=sesame") -> str:
        command = f"ffmpeg -hide_banner -v error -re {options} -t {seconds} -f flv"
        return await output_of(*command.split(), self.url(name, key))

    async def live(self, *names: str) -> None:
        async with asyncio.timeout(CLIENT_S):
            while any(self.sources[name].stream.status.state is not State.LIVE for name in names):
                await asyncio.sleep(0.02)

    async def play(self, name: str, seconds: float) -> tuple[int, str]:
        """Frames that FFmpeg decodes, and what it complains about."""
        command = f"ffmpeg -hide_banner -v warning -stats -i {self.url(name, '')} -t {seconds} -f null -"
        out = await output_of(*command.split())
        lines = [line.strip() for line in re.split(r"[\r\n]", out) if line.strip()]
        frames = re.findall(r"frame=\s*(\d+)", out)
        warnings = [line for line in lines if not line.startswith(("frame=", "size="))]
        return int(frames[-1]) if frames else 0, "\n".join(warnings)


@contextlib.asynccontextmanager
async def studio(*names: str) -> AsyncIterator[Studio]:
    house = Studio(*names)
    await house.server.start("127.0.0.1", 0)
    try:
        yield house
    finally:
        await house.server.stop()


async def output_of(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "timeout",
        str(CLIENT_S),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


def codecs(watcher: Watcher) -> list[Codec]:
    assert len(watcher.tracks) == 1
    return [track.codec for track in watcher.tracks[0]]


def test_ffmpeg_publishes_and_ffmpeg_plays_it_back():
    async def scene() -> None:
        async with studio("av", "video") as s:
            both = asyncio.create_task(s.publish("av", f"{PICTURE} {TONE} {H264} -bf 2 -c:a aac", 6))
            video = asyncio.create_task(s.publish("video", f"{PICTURE} {H264}", 9))
            await s.live("av", "video")
            played = await asyncio.gather(s.play("av", 2), s.play("video", 2))
            assert played[0][0] in range(47, 51) and not played[0][1]
            assert played[1] == (50, "")
            for out in (await both, await video):
                assert "Server error" not in out
            assert codecs(s.watchers["av"]) == [Codec.H264, Codec.AAC]
            assert codecs(s.watchers["video"]) == [Codec.H264]
            pictures = [frame for frame in s.watchers["av"].frames if frame.config.codec is Codec.H264]
            assert len(pictures) == 150
            assert any(frame.pts - frame.dts > 3600 for frame in pictures)
            assert len(s.watchers["video"].frames) == 225
            assert s.sources["av"].stream.status.reason == "the publisher left"

    uvloop.run(scene())


def test_sound_alone_gstreamer_enhanced_h265_g711_and_mp3():
    async def scene() -> None:
        async with studio("sound", "gst", "hevc", "g711", "mp3") as s:
            picture = f"{PICTURE} {TONE} {H264}"
            others = [
                asyncio.create_task(s.publish("g711", f"{picture} -c:a pcm_mulaw -ar 8000 -ac 1", 4)),
                asyncio.create_task(s.publish("mp3", f"{picture} -c:a libmp3lame -ar 44100", 4)),
            ]
            publishers = [
                asyncio.create_task(s.publish("sound", f"{TONE} -c:a aac", 4)),
                asyncio.create_task(output_of("/usr/bin/python3", "-c", GSTREAMER, s.url("gst"))),
                asyncio.create_task(output_of(sys.executable, "-c", ENHANCED, s.url("hevc"), "4")),
            ]
            said = await asyncio.gather(*publishers)
            for name, out in zip(("g711", "mp3"), await asyncio.gather(*others), strict=True):
                assert "Server error" not in out
                assert codecs(s.watchers[name]) == [Codec.H264, Codec.AAC]
                heard = sum(frame.config.codec is Codec.AAC for frame in s.watchers[name].frames)
                assert heard in range(57, 64)  # of 62.5 in 4 s
                assert "transcoded to AAC" in s.sources[name].audio_note
            assert "Server error" not in said[0]
            assert "GST_MESSAGE_EOS" in said[1], said[1]
            assert "Traceback" not in said[2], said[2]
            assert codecs(s.watchers["sound"]) == [Codec.AAC]
            assert len(s.watchers["sound"].frames) in range(180, 192)
            assert codecs(s.watchers["gst"]) == [Codec.H264, Codec.AAC]
            assert sum(frame.config.codec is Codec.H264 for frame in s.watchers["gst"].frames) == 125
            assert codecs(s.watchers["hevc"]) == [Codec.H265]
            assert len(s.watchers["hevc"].frames) == 100

    uvloop.run(scene())


def test_a_publisher_that_comes_back_goes_on_with_a_marked_keyframe():
    async def scene() -> None:
        async with studio("phone") as s:
            options = f"{PICTURE} {TONE} {H264} -c:a aac"
            await s.publish("phone", options, 2)
            frames = s.watchers["phone"].frames
            first = len(frames)
            await s.publish("phone", options, 2, "?user=me&pass=sesame")
            assert frames[first].discontinuity and frames[first].keyframe
            assert sum(frame.discontinuity for frame in frames) == 1
            for kind in {frame.kind for frame in frames}:
                times = [frame.dts for frame in frames if frame.kind is kind]
                assert all(earlier < later for earlier, later in itertools.pairwise(times))
            # The same encoder with the same settings: players need nothing new.
            assert len(s.watchers["phone"].tracks) == 1

    uvloop.run(scene())


def test_ffmpeg_shows_why_it_may_not_publish():
    async def scene() -> None:
        async with studio("phone") as s:
            picture = f"{PICTURE} {H264}"
            assert "wrong key, or no camera 'phone'" in await s.publish("phone", picture, 2, "?key=open")
            publishing = asyncio.create_task(s.publish("phone", picture, 3))
            await s.live("phone")
            assert "somebody is already publishing phone" in await s.publish("phone", picture, 2)
            await publishing

    uvloop.run(scene())
