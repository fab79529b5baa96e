"""A channel: waiting, rendering once, leaving an on-demand stream."""

import asyncio
import gzip

from synthetic import VIDEO, camera, video

from gateway.hls.channel import IDLE_KIND, IDLE_S, Channel
from gateway.hls.cutter import Pace
from gateway.media.state import State, Status
from gateway.media.stream import Stream
from gateway.media.track import Kind


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(stream: Stream | None = None) -> tuple[Stream, Channel, Clock]:
    clock = Clock()
    stream = stream or Stream("cam")
    stream.begin(frozenset({Kind.VIDEO}))
    return stream, Channel(stream, Pace(), 12.0, first_number=1000, monotonic=clock), clock


def test_playlist_is_rendered_once_per_change_and_query() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        stream.push(camera(6))
        first = channel.media("")
        assert channel.media("") is first
        assert channel.media("?token=a") is not first
        assert gzip.decompress(first.gzip) == first.plain
        assert first.gzip is first.gzip
        stream.push(camera(1, start_s=6))
        assert channel.media("") is not first

    asyncio.run(scenario())


def test_many_tokens_do_not_fill_the_memory() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        stream.push(camera(6))
        for index in range(1000):
            channel.media(f"?token={index}")
        assert len(channel._rendered) <= 256

    asyncio.run(scenario())


def test_wait_returns_when_the_condition_holds_or_time_is_up_or_all_ends() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        waiting = asyncio.create_task(channel.wait(lambda: channel.window.ready, 10))
        await asyncio.sleep(0)
        stream.push(camera(6))
        assert await waiting
        assert not await channel.wait(lambda: False, 0.01)
        ended = asyncio.create_task(channel.wait(lambda: False, 10))
        await asyncio.sleep(0)
        channel.close()
        assert not await ended

    asyncio.run(scenario())


def test_on_demand_stream_is_kept_for_a_while_and_then_left_with_its_numbers() -> None:
    async def scenario() -> None:
        stream, channel, clock = make()
        channel.use(on_demand=True)
        stream.push(camera(6))
        number = channel.window.next_part[0]
        clock.now += IDLE_S - 1
        channel.sweep(on_demand=True)
        assert stream.demand.count(IDLE_KIND) == 1
        clock.now += 1
        channel.sweep(on_demand=True)
        assert not stream.demand.active
        assert not channel.attached
        assert channel.window.size == 0
        channel.use(on_demand=True)
        stream.push(camera(6, start_s=100))
        assert channel.window.ready
        assert channel.window.media_sequence > number - 1
        channel.close()
        assert not stream.demand.active

    asyncio.run(scenario())


def test_stream_that_becomes_permanent_is_not_held_as_on_demand() -> None:
    async def scenario() -> None:
        stream, channel, clock = make()
        channel.use(on_demand=True)
        clock.now += 1000
        channel.sweep(on_demand=False)
        assert channel.attached
        assert not stream.demand.active

    asyncio.run(scenario())


def test_camera_configured_anew_goes_on_in_the_same_window() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        stream.push(camera(6))
        number = channel.window.next_part[0]
        other = Stream("cam")
        other.begin(frozenset({Kind.VIDEO}))
        channel.rebind(other)
        stream.push(camera(4, start_s=6))
        assert channel.window.size == 0
        other.push(camera(6))
        assert channel.window.media_sequence >= number

    asyncio.run(scenario())


def test_pace_that_is_changed_while_memory_is_short_makes_no_long_window() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        channel.window.frugal = True
        channel.configure(Pace(part_s=0.4), 60.0)
        for start_s in range(0, 60, 10):
            stream.push(camera(10, start_s=start_s))
            channel.media("")
        assert sum(segment.duration_us for segment in channel.window.segments) < 20e6

    asyncio.run(scenario())


def test_running_stream_tells_its_keyframe_interval() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        stream.push(camera(9, gop=100))
        channel.attach()
        assert channel.window.cutter.settled
        assert channel.window.cutter.target_duration == 4

    asyncio.run(scenario())


def test_segment_is_joined_once() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        stream.push([*camera(6), video(90_000 * 6, key=True)])
        msn = channel.window.media_sequence
        assert channel.segment_payload(channel.window, msn) is channel.segment_payload(channel.window, msn)
        assert channel.segment_payload(channel.window, channel.window.next_part[0]) is None
        assert channel.segment_payload(channel.window, 1) is None

    asyncio.run(scenario())


def test_tracks_of_the_window_are_those_of_the_stream() -> None:
    async def scenario() -> None:
        stream, channel, _ = make()
        channel.attach()
        stream.push(camera(6))
        assert channel.window.tracks == (VIDEO,)
        assert b"avc1.64000C" in channel.multivariant("").plain

    asyncio.run(scenario())


def test_playlist_whose_keyframes_have_moved_apart_is_begun_anew_once_nobody_watches() -> None:
    """The first GOP of an encoder was short: every other segment began without a keyframe until the gateway was restarted."""

    async def scenario() -> None:
        stream, channel, clock = make()
        channel.attach()
        stream.push(camera(6))
        viewer = channel.viewers.seen(("10.0.0.1", "player", ""))
        channel.media("")
        first = channel.window
        stream.set_status(Status(State.LIVE, 0.0))
        stream.push(camera(14, gop=125, start_s=6))
        channel.sweep(on_demand=False)
        assert channel.window is first, "not under a viewer"
        assert viewer.requests == 0
        clock.now += 60
        channel.sweep(on_demand=False)
        stream.push(camera(20, gop=125, start_s=20))
        assert channel.window is not first
        assert channel.window.media_sequence > first.media_sequence
        assert channel.window.independent
        clock.now += 60
        again = channel.window
        channel.sweep(on_demand=False)
        assert channel.window is again

    asyncio.run(scenario())
