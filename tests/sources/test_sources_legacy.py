"""A camera that is configured anew goes on with the same stream, on the same timeline, and its old source is silent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

from gateway.config.model import Camera, Publish, RtspDefaults, Secret, SubPolicy
from gateway.media.stream import Stream
from gateway.sources.camera import CameraSource
from gateway.sources.publish import PublishSource
from gateway.sources.sink import LoopSink

AWAY = "rtsp://127.0.0.1:1/live"
YARD = Camera("yard", "Yard", rtsp=AWAY, sub=AWAY)
FINDER = SimpleNamespace()


def source_of(camera: Camera, old: CameraSource | None = None) -> CameraSource:
    legacies = old.legacies() if old is not None else None
    return CameraSource(camera, RtspDefaults(), FINDER, asyncio.get_running_loop(), legacies)


def test_the_next_source_feeds_the_same_stream_at_the_same_time() -> None:
    async def main() -> None:
        old = source_of(YARD)
        old.start()
        old.stop()
        new = source_of(replace(YARD, audio=False), old)
        assert [one.stream for one in new.sources] == [one.stream for one in old.sources]
        assert new.sources[0]._timeline is old.sources[0]._timeline
        new.start()
        assert new.sources[0]._reader._after is old.sources[0]._last_thread, "cameras count sessions"
        new.stop()

    asyncio.run(main())


def test_a_camera_that_publishes_from_now_on_keeps_its_viewers() -> None:
    async def main() -> None:
        old = source_of(YARD)
        old.stop()
        new = source_of(Camera("yard", "Yard", publish=Publish(Secret("k"))), old)
        assert isinstance(new.sources[0], PublishSource)
        assert new.sources[0].stream is old.sources[0].stream
        assert new.status.reason == "waiting for the publisher"
        again = source_of(YARD, new)
        assert again.sources[0].stream is old.sources[0].stream

    asyncio.run(main())


def test_a_reader_that_is_still_on_its_way_out_can_no_longer_speak() -> None:
    """What it says would end the session of the next one."""

    async def main() -> None:
        stream, told = Stream("yard"), []
        sink = LoopSink(asyncio.get_running_loop(), stream, told.append, told.append)
        sink.end()  # queued before
        sink.release()
        sink.begin(frozenset(), "note")
        sink.status(stream.status)
        await asyncio.sleep(0)
        assert told == []

    asyncio.run(main())


def test_the_old_source_no_longer_hears_of_viewers() -> None:
    async def main() -> None:
        old = source_of(YARD)
        old.start()
        old.stop()
        new = source_of(YARD, old)
        new.start()
        hold = new.streams[1].demand.hold("ws")
        assert new.sources[1]._reader is not None
        assert old.sources[1]._reader is None
        hold.release()
        new.stop()

    asyncio.run(main())


def test_a_viewer_of_the_sub_stream_is_served_by_the_next_source_at_once() -> None:
    async def main() -> None:
        old = source_of(YARD)
        old.start()
        hold = old.streams[1].demand.hold("ws")
        old.stop()
        new = source_of(replace(YARD, username="u"), old)
        new.start()
        assert new.sources[1]._reader is not None
        hold.release()
        new.stop()

    asyncio.run(main())


def test_when_the_sub_stream_is_pulled_changes_without_a_new_session() -> None:
    async def main() -> None:
        source = source_of(YARD)
        source.start()
        main_reader = source.sources[0]._reader
        source.adjust(replace(YARD, sub_policy=SubPolicy.ALWAYS), RtspDefaults(read_timeout_s=7.0))
        assert source.sources[1]._reader is not None
        assert source.sources[0]._reader is main_reader
        assert main_reader._settings.read_timeout_s == 7.0
        source.adjust(YARD, RtspDefaults())
        assert source.sources[1]._stopping is not None, "rests once nobody has watched for a while"
        source.stop()

    asyncio.run(main())
