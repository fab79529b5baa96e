"""The encoder's life: it runs while somebody watches, a little longer, and not otherwise."""

from __future__ import annotations

import asyncio
import threading

from gateway.media.demand import Hold
from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.simulator.encoder import StreamEncoder
from gateway.simulator.faults import Faults, Frozen
from gateway.simulator.video_codec import VideoSpec

SPEC = VideoSpec(Codec.H264, 128, 72, 50, 50, 200_000)


def test_runs_only_while_someone_watches(recorder):
    async def scenario() -> None:
        encoder = StreamEncoder(SPEC, Codec.AAC, name="Test", linger_s=0.05)
        stream, taken = Stream("s"), recorder()
        encoder.feed(stream, Faults())
        assert not encoder.running
        hold: Hold = stream.demand.hold("rtsp")
        assert encoder.running
        stream.subscribe(taken)
        await taken.until(lambda r: len(r.video) >= 5 and len(r.audio) >= 2)
        assert [track.kind for track in taken.tracks[-1]] == [Kind.VIDEO, Kind.AUDIO]
        hold.release()
        assert encoder.running, "it lingers for a viewer that reconnects"
        async with asyncio.timeout(3):
            while encoder.running:
                await asyncio.sleep(0.01)
        count = len(taken.frames)
        stream.demand.hold("rtsp")
        await taken.until(lambda r: len(r.frames) >= count + 10)
        for kind in Kind:
            times = [frame.dts for frame in taken.frames if frame.kind is kind]
            assert times == sorted(set(times)), "the timeline goes on over the pause"
        await encoder.stop()
        assert not [thread for thread in threading.enumerate() if thread.name == "encoder Test"]

    asyncio.run(scenario())


def test_a_viewer_that_comes_back_while_it_lingers_finds_it_running(recorder):
    async def scenario() -> None:
        encoder = StreamEncoder(SPEC, None, name="Test", linger_s=5.0)
        stream, taken = Stream("s"), recorder()
        encoder.feed(stream, Faults())
        stream.subscribe(taken)
        stream.demand.hold("rtsp").release()
        stream.demand.hold("rtsp")
        await taken.until(lambda r: len(r.video) >= 3)
        assert sum(thread.name == "encoder Test" for thread in threading.enumerate()) == 1
        await encoder.stop()

    asyncio.run(scenario())


def test_one_encoder_serves_several_cameras_and_their_faults_stay_their_own(recorder):
    async def scenario() -> None:
        encoder = StreamEncoder(SPEC, Codec.PCMU, name="Test")
        one, other = Stream("one"), Stream("other")
        healthy, frozen = recorder(), recorder()
        faults = Faults()
        encoder.feed(one, Faults())
        encoder.feed(other, faults)
        one.subscribe(healthy)
        other.subscribe(frozen)
        one.demand.hold("rtsp")
        await frozen.until(lambda r: len(r.video) >= 3)
        assert frozen.video[0] is healthy.video[0], "the same frame, not a copy"
        faults.freeze(Frozen.VIDEO)
        seen, sounds = len(frozen.video), len(frozen.audio)
        await frozen.until(lambda r: len(r.audio) >= sounds + 4)
        assert len(frozen.video) == seen
        assert len(healthy.video) > seen
        await encoder.stop()

    asyncio.run(scenario())


def test_keyframe_on_request_and_new_size_in_mid_stream(recorder):
    async def scenario() -> None:
        encoder = StreamEncoder(VideoSpec(Codec.H264, 128, 72, 50, 1000, 200_000), None, name="Test")
        stream, taken = Stream("s"), recorder()
        encoder.feed(stream, Faults())
        stream.subscribe(taken)
        stream.demand.hold("rtsp")
        await taken.until(lambda r: len(r.video) >= 3)
        encoder.request_keyframe()
        await taken.until(lambda r: sum(frame.keyframe for frame in r.video) == 2)
        encoder.resize(192, 108)
        await taken.until(lambda r: r.video[-1].config.width == 192)
        assert taken.tracks[-1][0].width == 192
        await encoder.stop()

    asyncio.run(scenario())


def test_a_defective_codec_ends_the_session_and_is_logged(caplog):
    async def scenario() -> None:
        encoder = StreamEncoder(SPEC, Codec.OPUS, name="Broken")  # there is no Opus tone
        stream = Stream("s")
        encoder.feed(stream, Faults())
        stream.demand.hold("rtsp")
        async with asyncio.timeout(5):
            while encoder.running:
                await asyncio.sleep(0.01)
        await encoder.stop()

    asyncio.run(scenario())
    assert "simulator encoder Broken failed" in caplog.text
