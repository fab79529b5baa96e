"""Real players against the real server: each test runs a few of them for about three seconds of a live stream."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import av
import pytest
import uvloop

from gateway.media.stream import Stream
from gateway.media.track import Codec
from gateway.rtmp import chunk
from gateway.rtmp.server import RtmpServer

pytestmark = pytest.mark.e2e

CLIENT_S = 40.0
"""Generous: FFmpeg takes 5 s to open a stream without audio, and the machine may be busy."""


@pytest.fixture
def live(camera):
    """`async with live({"name": (media, start_s)}) as url:` plays them in real time; `url("name")` is their address."""

    @contextlib.asynccontextmanager
    async def open_live(what) -> AsyncIterator:
        streams = {name: Stream(name) for name in what}
        server = RtmpServer(streams.get, lambda credentials: True)
        await server.start("127.0.0.1", 0)
        cameras = [asyncio.create_task(camera(streams[name], media, start_s).run()) for name, (media, start_s) in what.items()]
        try:
            yield lambda name: f"rtmp://127.0.0.1:{server.port}/live/{name}"
        finally:
            for task in cameras:
                task.cancel()
            await server.stop()

    return open_live


async def output_of(*command: str, seconds: float = CLIENT_S) -> str:
    """Run a client; return what it printed. It is ended after `seconds`."""
    process = await asyncio.create_subprocess_exec(
        "timeout",
        str(seconds),
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return out.decode(errors="replace")


async def ffmpeg(url: str, seconds: int) -> tuple[int, str]:
    """Frames decoded in `seconds` of stream, and every warning."""
    out = await output_of("ffmpeg", "-hide_banner", "-v", "warning", "-stats", "-i", url, "-t", str(seconds), "-f", "null", "-")
    lines = [line.strip() for line in re.split(r"[\r\n]", out) if line.strip()]
    warnings = [line for line in lines if not line.startswith(("frame=", "size="))]
    frames = re.findall(r"frame=\s*(\d+)", lines[-1]) if lines else []
    return int(frames[0]) if frames else 0, "\n".join(warnings)


async def packets_of(path: Path) -> dict[str, int]:
    entries = "stream=codec_name,nb_read_packets"
    out = await output_of("ffprobe", "-v", "error", "-count_packets", "-show_entries", entries, "-of", "csv=p=0", str(path))
    return {name: int(count) for name, count in re.findall(r"(\w+),(\d+)", out)}


def decode(url: str, seconds: float, announce: str = "") -> tuple[dict[str, int], bool, list[int]]:
    """Decoded pictures and packets by codec, whether the first picture was a keyframe, and all video dts in ms."""
    counts: dict[str, int] = {}
    dts: list[int] = []
    first_is_key = False
    options = {"rtmp_enhanced_codecs": announce} if announce else {}
    with av.open(url, timeout=10, options=options) as source:
        for packet in source.demux():
            if packet.dts is None:
                continue
            name = packet.stream.codec_context.name
            if packet.stream.type == "video":
                first_is_key = packet.is_keyframe if not dts else first_is_key
                dts.append(packet.dts)
                counts[name] = counts.get(name, 0) + len(packet.decode())
                if dts[-1] - dts[0] >= seconds * 1000:
                    return counts, first_is_key, dts
            else:
                counts[name] = counts.get(name, 0) + 1
    return counts, first_is_key, dts


def test_ffmpeg_plays_every_frame_without_a_warning(live, media):
    async def scene() -> None:
        async with live({"av": (media(), 0), "b": (media(b_frames=2), 0), "v": (media(audio=None), 0)}) as url:
            await asyncio.sleep(0.6)
            both, b_frames, video = await asyncio.gather(ffmpeg(url("av"), 3), ffmpeg(url("b"), 3), ffmpeg(url("v"), 3))
            assert both == (75, "")
            # The first picture of a stream with two B-frames is shown 80 ms after its dts, and -t counts from there.
            assert b_frames[0] in range(73, 76) and not b_frames[1]
            assert video == (75, "")

    uvloop.run(scene())


def test_ffmpeg_plays_across_the_timestamp_boundaries(live, media):
    # Keyframes beyond the chunk size, so that the extended timestamp repeated on continuations decides over everything.
    large = media(noise=True, gop=5, width=480, height=360)
    assert max(len(frame.payload) for frame in large.video) > chunk.OUR_CHUNK_BYTES
    before_s = 3.0
    boundaries = {name: (large, at / 1000 - before_s) for name, at in (("a", 1 << 24), ("b", 1 << 31), ("c", 1 << 32))}

    async def scene() -> None:
        async with live(boundaries) as url:
            for frames, warnings in await asyncio.gather(*(ffmpeg(url(name), 6) for name in boundaries)):
                assert (frames, warnings) == (150, "")

    uvloop.run(scene())


def test_a_newer_ffmpeg_plays_h265_av1_and_opus(live, media):
    streams = {
        "hevc": (media(Codec.H265, Codec.AAC), 0),
        "bframes": (media(Codec.H265, Codec.AAC, b_frames=2), 0),
        "av1": (media(Codec.AV1, Codec.OPUS), 0),
        "h264": (media(), 0),
    }

    async def scene() -> None:
        async with live(streams) as url:
            await asyncio.sleep(0.6)
            # Opus beside a picture goes to players that announce it.
            announced = {"av1": "av01,Opus"}
            results = await asyncio.gather(
                *(asyncio.to_thread(decode, url(name), 3, announced.get(name, "")) for name in streams)
            )
            for (name, _), (counts, first_is_key, dts) in zip(streams.items(), results, strict=True):
                video, audio = ("hevc", "aac") if name in ("hevc", "bframes") else ("h264", "aac")
                if name == "av1":
                    video, audio = "libdav1d", "opus"
                assert first_is_key, name
                # A decoder that reorders holds back the last few pictures.
                assert len(dts) - 6 <= counts[video] <= len(dts), (name, counts)
                assert counts[audio] > 100, (name, counts)
                assert {later - earlier for earlier, later in itertools.pairwise(dts)} == {40}, name

    uvloop.run(scene())


def test_rtmpdump_and_gstreamer_record_across_the_timestamp_boundaries(live, media, tmp_path):
    # rtmp2src makes a buffer of every message, rtmpsrc one of every 4 KiB; both are about three seconds here.
    sink = ["!", "filesink", "location={file}"]
    clients = {
        "rtmpdump": ["rtmpdump", "-q", "-v", "-r", "{url}", "-o", "{file}"],
        # SWF verification makes librtmp use the digest handshake and check the server's signature.
        "digest": ["rtmpdump", "-V", "-v", "-w", "ab" * 32, "-x", "1000", "-r", "{url}", "-o", "{file}"],
        "rtmp2src": ["gst-launch-1.0", "-q", "rtmp2src", "location={url}", "num-buffers=220", *sink],
        "rtmpsrc": ["gst-launch-1.0", "-q", "rtmpsrc", "location={url} live=1", "num-buffers=12", *sink],
    }
    assert all(shutil.which(command[0]) for command in clients.values())

    async def record(url: str, name: str, stream: str) -> tuple[str, dict[str, int]]:
        file = tmp_path / f"{name}-{stream}.flv"
        command = [part.format(url=url, file=file) for part in clients[name]]
        out = await output_of(*command, seconds=4.5 if name in ("rtmpdump", "digest") else CLIENT_S)
        return out, await packets_of(file)

    async def scene() -> None:
        boundaries = {f"at{bits}": (media(), (1 << bits) / 1000 - 2) for bits in (24, 31, 32)}
        jobs = [(name, stream) for name in clients for stream in boundaries]
        async with live(boundaries) as url:
            results = await asyncio.gather(*(record(url(stream), name, stream) for name, stream in jobs))
            for (name, _), (out, counts) in zip(jobs, results, strict=True):
                assert counts.get("h264", 0) >= 60 and counts.get("aac", 0) >= 100, (name, counts, out)
                assert name != "digest" or "HandShake: Genuine Adobe Flash Media Server" in out, out

    uvloop.run(scene())


def test_players_show_why_there_is_no_picture(live, media):
    async def scene() -> None:
        async with live({"x": (media(), 0)}) as url:
            _, warnings = await ffmpeg(url("nope"), 1)
            assert "there is no stream 'nope'" in warnings
            picture = "-f lavfi -i testsrc=size=64x64 -t 2 -c:v libx264 -f flv"
            out = await output_of("ffmpeg", "-hide_banner", "-v", "error", *picture.split(), url("x"))
            assert "publishing is not enabled" in out

    uvloop.run(scene())
