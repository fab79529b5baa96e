"""A slow page loses pictures down to the next keyframe and is told; it is never sent more than its line carries."""

from __future__ import annotations

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.live import backlog, messages
from gateway.live.backlog import Backlog

KB = 1024


def made() -> Backlog:
    made = Backlog(messages.dropped_text)
    made.open(1, False)
    return made


def drain(queue: Backlog, now: float = 0.0) -> list[bytes | str]:
    """Everything that may be sent, acknowledged at once."""
    out: list[bytes | str] = []
    total = queue._sent
    while (data := queue.take(now)) is not None:
        out.append(data)
        if isinstance(data, bytes):
            total += len(data)
            assert queue.ack(total, now)
    return out


def put(queue: Backlog, data: bytes, now: float = 0.0, *, channel: int = 1, key: bool = False) -> None:
    queue.frame(channel, data, keyframe=key, video=True, now=now)


def test_a_quick_page_gets_each_frame_at_once():
    queue = made()
    for number in range(10):
        data = b"%d" % number
        put(queue, data, number / 25, key=number == 0)
        assert drain(queue, number / 25) == [data]
    assert queue.dropped == 0


def test_what_waits_is_sent_in_one_message():
    queue = made()
    put(queue, b"a", key=True)
    put(queue, b"b")
    assert queue.take(0) == b"ab"
    put(queue, b"c" * 60 * KB, key=True)
    put(queue, b"d" * 60 * KB)
    assert len(queue.take(0) or b"") == 60 * KB


def test_a_channel_begins_with_a_keyframe_and_nothing_counts_as_lost_before_it():
    queue = made()
    put(queue, b"p")
    put(queue, b"K", key=True)
    put(queue, b"p")
    assert drain(queue) == [b"Kp"]
    assert queue.dropped == 0


def test_a_page_that_acknowledges_nothing_gets_only_the_small_flight():
    queue = made()
    for number in range(100):
        put(queue, b"x" * 10 * KB, key=number == 0)
    assert queue.take(0) is not None
    sent = queue.flight_bytes
    while (data := queue.take(10.0)) is not None:
        sent += len(data)
    assert sent == queue.flight_bytes
    assert backlog.SMALL_FLIGHT_BYTES <= sent < backlog.SMALL_FLIGHT_BYTES + backlog.MERGE_BYTES


def test_a_distant_page_is_not_slowed_by_its_distance():
    """The delay of the line itself does not count against what may be under way."""
    queue = made()
    put(queue, b"x" * KB, key=True)
    queue.take(0.0)
    queue.ack(KB, 0.6)  # 600 ms there and back
    for _ in range(40):
        put(queue, b"x" * 10 * KB, 1.0)
    sent = 0
    while (data := queue.take(1.0)) is not None:
        sent += len(data)
    for _ in range(10):
        put(queue, b"x" * 10 * KB, 1.5)
    assert queue.take(1.5) is not None
    assert sent == 400 * KB


def test_pictures_that_waited_too_long_are_dropped_to_the_next_keyframe_and_told():
    queue = made()
    put(queue, b"K" * 200 * KB, key=True)
    assert queue.take(0.0) is not None  # under way, and never acknowledged
    for number in range(1, 60):
        put(queue, b"p%d" % number, number / 25)
    assert queue.take(60 / 25) is None
    assert queue.dropped > 0
    put(queue, b"K2", 60 / 25, key=True)
    put(queue, b"p61", 61 / 25)
    assert queue.ack(200 * KB, 61 / 25)
    told, data = queue.take(61 / 25), queue.take(61 / 25)
    assert json.loads(str(told)) == {"type": "dropped", "channel": 1, "frames": queue.dropped}
    assert data == b"K2p61"
    assert queue.dropped == 59


def test_the_past_of_a_new_tile_disturbs_no_running_one():
    queue = made()
    queue.open(2, False)
    put(queue, b"K", key=True)
    drain(queue)
    queue.announce(2, '"subscribed"')
    queue.config(2, b"config", past=True)
    for _ in range(3):
        queue.past(2, b"o" * 50 * KB, video=True, now=0.0)
    put(queue, b"new", 0.0, channel=2)
    put(queue, b"live", 0.0)
    taken = drain(queue)
    assert taken[:2] == ['"subscribed"', b"live"]
    assert b"".join(data for data in taken[2:] if isinstance(data, bytes)) == b"config" + b"o" * 150 * KB + b"new"


def test_the_focused_tile_goes_first_and_loses_last():
    queue = made()
    queue.open(2, True)
    put(queue, b"K" * 200 * KB, key=True)
    queue.take(0.0)
    put(queue, b"K", key=True, channel=2)
    drained = 0
    for _ in range(1, 1000):
        put(queue, b"s" * 20 * KB, 0.5)
        put(queue, b"f" * KB, 0.5, channel=2)
        drained = queue.waiting_bytes
    assert drained <= backlog.MAX_WAITING_BYTES
    queue.ack(200 * KB, 0.6)
    first = queue.take(0.6)
    assert isinstance(first, bytes)
    assert set(first) == {ord("K"), ord("f")}
    assert queue.dropped > 0


def test_texts_pass_by_everything_even_a_line_that_is_full():
    queue = made()
    put(queue, b"x" * 200 * KB, key=True)
    queue.take(0.0)
    put(queue, b"y")
    queue.text("ping")
    assert queue.take(5.0) == "ping"
    assert queue.take(5.0) is None


def test_a_configuration_survives_a_drop():
    """Without it nothing of the next keyframe could be decoded."""
    queue = made()
    put(queue, b"K" * 200 * KB, key=True)
    queue.take(0.0)
    queue.config(1, b"config")
    put(queue, b"K2", 0.1, key=True)
    put(queue, b"p", 3.0)
    put(queue, b"K3", 3.1, key=True)
    queue.ack(200 * KB, 3.1)
    taken = drain(queue, 3.1)
    assert taken[0] == b"config"
    assert taken[-1] == b"K3"


def test_acknowledging_more_than_was_sent_or_less_than_before_is_noticed():
    queue = made()
    put(queue, b"abc", key=True)
    queue.take(0.0)
    assert not queue.ack(4, 0.0)
    assert queue.ack(3, 0.0)
    assert not queue.ack(2, 0.0)


def test_a_closed_channel_leaves_nothing_behind():
    queue = made()
    put(queue, b"abc", key=True)
    queue.close(1)
    put(queue, b"def", key=True)
    assert queue.take(0.0) is None
    assert queue.waiting_bytes == 0


class Line(RuleBasedStateMachine):
    """Any order of events keeps the promises."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Backlog(messages.dropped_text)
        self.now = 0.0
        self.sent = 0
        self.acked = 0
        self.open: set[int] = set()
        self.number = 0
        self.expects_key: set[int] = set()

    @rule(channel=st.integers(1, 3), focused=st.booleans(), past=st.integers(0, 4))
    def opens(self, channel: int, focused: bool, past: int) -> None:
        self.queue.open(channel, focused)
        self.open.add(channel)
        self.queue.config(channel, self.record(channel, "c"), past=past > 0)
        for index in range(past):
            self.queue.past(channel, self.record(channel, "p" if index else "K"), video=True, now=self.now)

    @rule(channel=st.integers(1, 3))
    def closes(self, channel: int) -> None:
        self.queue.close(channel)
        self.open.discard(channel)

    @rule(channel=st.integers(1, 3), key=st.booleans(), size=st.integers(1, 80))
    def comes(self, channel: int, key: bool, size: int) -> None:
        data = self.record(channel, "K" if key else "p", size * KB)
        self.queue.frame(channel, data, keyframe=key, video=True, now=self.now)

    @rule(seconds=st.floats(0, 3))
    def passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def takes(self) -> None:
        data = self.queue.take(self.now)
        if isinstance(data, bytes):
            self.sent += len(data)
            assert self.queue.flight_bytes == self.sent - self.acked

    @precondition(lambda self: self.sent > self.acked)
    @rule(part=st.floats(0, 1))
    def arrives(self, part: float) -> None:
        self.acked += round((self.sent - self.acked) * part)
        assert self.queue.ack(self.acked, self.now)

    def record(self, channel: int, kind: str, size: int = 20) -> bytes:
        self.number += 1
        return f"{channel}{kind}{self.number:06}".encode().ljust(size, b".")

    @invariant()
    def bounded(self) -> None:
        queue = self.queue
        assert 0 <= queue.waiting_bytes <= backlog.MAX_WAITING_BYTES
        assert queue.waiting_bytes == sum(
            len(entry.data) for lane, entries in queue._lanes.items() if lane for entry in entries
        )
        for number, channel in queue._channels.items():
            waiting = sum(entry.channel == number for entry in queue._lanes[backlog.Lane.CATCH_UP])
            assert channel.catching_up == waiting
        if self.sent == self.acked and queue.waiting_bytes:
            assert queue._may_fly(self.now)


TestLine = Line.TestCase


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 59))
def test_after_a_drop_a_channel_goes_on_with_a_keyframe_and_in_order(keys, jam_at):
    queue = made()
    got: list[bytes] = []
    put(queue, b"K000000", key=True)
    for number, key in enumerate(keys, start=1):
        now = number / 5
        put(queue, f"{'K' if key else 'p'}{number:06}".encode(), now, key=key)
        if abs(number - jam_at) > 10:
            got += [data for data in drain(queue, now) if isinstance(data, bytes)]
    records = [data[at : at + 7] for data in got for at in range(0, len(data), 7)]
    numbers = [int(record[1:]) for record in records]
    assert numbers == sorted(numbers)
    for before, after in itertools.pairwise(records):
        if int(after[1:]) != int(before[1:]) + 1:
            assert after[:1] == b"K"
