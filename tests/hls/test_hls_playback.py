"""Real decoders read what comes out: PyAV the bytes, ffmpeg the playlists over HTTP."""

import asyncio
import io
import itertools
import json
from dataclasses import replace
from fractions import Fraction

import av
import pytest
from encoded import FPS, encoded, listening
from playlist_linter import parse
from synthetic import render

from gateway.hls.cutter import ORIGIN_S, Pace
from gateway.hls.server import HlsService, HlsSettings
from gateway.hls.window import Window
from gateway.media.stream import Stream
from gateway.media.track import Kind

SECONDS = 14


def test_pyav_decodes_every_picture_of_init_and_segments_at_its_time() -> None:
    tracks, frames = encoded(SECONDS)
    window = Window(Pace(), 60.0, first_number=1, changed=lambda: None)
    window.on_tracks(tracks)
    window.watched()
    for frame in frames:
        window.on_frame(frame)
    parse(render(window))
    data = (window.map(1) or b"") + b"".join(segment.payload() for segment in window.segments)
    with av.open(io.BytesIO(data)) as container:
        pictures = [picture.pts * picture.time_base for picture in container.decode(video=0) if picture.pts is not None]
    whole = pictures[:-3]  # the last ones may lack the picture they refer to, which is in the part not closed yet
    assert whole == [ORIGIN_S + 1 + Fraction(index, FPS) for index in range(len(whole))]
    assert len(whole) >= (SECONDS - 1) * FPS
    with av.open(io.BytesIO(data)) as container:
        sound = [frame.pts for frame in container.decode(audio=0) if frame.pts is not None]
    assert {later - earlier for earlier, later in itertools.pairwise(sound)} == {1024}


def test_every_part_is_decodable_from_the_last_independent_one() -> None:
    tracks, frames = encoded(SECONDS)
    window = Window(Pace(), 60.0, first_number=1, changed=lambda: None)
    window.on_tracks(tracks)
    window.watched()
    for frame in frames:
        window.on_frame(frame)
    for segment in window.segments[:3]:
        assert segment.parts[0].independent
        with av.open(io.BytesIO((window.map(1) or b"") + segment.parts[0].payload)) as container:
            first = next(container.decode(video=0))
            assert first.key_frame


@pytest.mark.e2e
def test_ffmpeg_plays_through_a_short_stall_without_a_warning() -> None:
    async def scenario() -> None:
        stream = Stream("cam")
        service = HlsService({"cam": stream}.get, HlsSettings(), lambda _: True)
        service.attach(stream)
        service.channel(stream).window.watched()
        stream.begin(frozenset({Kind.VIDEO}))
        _, frames = encoded(SECONDS)
        late = [frame for frame in frames if frame.kind is Kind.VIDEO]
        late = [replace(frame, dts=frame.dts + 300_000, pts=frame.pts + 300_000) if index > 199 else frame
                for index, frame in enumerate(late)]  # fmt: skip
        stream.push(late)
        with listening(service.handle, asyncio.get_running_loop()) as url:
            start = ("-v", "warning", "-live_start_index", "0")
            address = f"{url}/hls/cam/index.m3u8"
            assert await _run("ffmpeg", *start, "-i", address, "-t", "12", "-f", "null", "-") == (0, "", "")
        await service.close()

    asyncio.run(scenario())


@pytest.mark.e2e
def test_ffmpeg_plays_the_playlist_without_a_warning() -> None:
    async def scenario() -> None:
        stream = Stream("cam")
        service = HlsService({"cam": stream}.get, HlsSettings(), lambda _: True)
        service.attach(stream)
        service.channel(stream).window.watched()
        stream.begin(frozenset({Kind.VIDEO, Kind.AUDIO}))
        tracks, frames = encoded(SECONDS)
        stream.push(frames)
        assert stream.tracks == tracks
        with listening(service.handle, asyncio.get_running_loop()) as url:
            address = f"{url}/hls/cam/index.m3u8?token=abc"
            start = ("-v", "warning", "-live_start_index", "0")
            code, out, err = await _run("ffmpeg", *start, "-i", address, "-t", "10", "-f", "null", "-")
            assert (code, out, err) == (0, "", "")
            entries = "stream=codec_name,width,height,sample_rate:packet=stream_index,dts_time,duration_time"
            code, out, err = await _run(
                "ffprobe", *start, "-read_intervals", "%+9",
                "-show_entries", entries, "-of", "json", address,
            )  # fmt: skip
            assert (code, err) == (0, "")
        found = json.loads(out)
        assert [one["codec_name"] for one in found["streams"]] == ["h264", "aac"]
        for index in (0, 1):
            times = [float(one["dts_time"]) for one in found["packets"] if one["stream_index"] == index]
            steps = [later - earlier for earlier, later in itertools.pairwise(times)]
            assert len(steps) > 100
            assert max(steps) - min(steps) < 0.002, "no hole and no overlap at part or segment boundaries"
        await service.close()

    asyncio.run(scenario())


async def _run(*command: str) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(60):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode(), err.decode()
