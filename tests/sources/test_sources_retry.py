"""Back-off and lateness, without waiting for either."""

from gateway.errors import Retry
from gateway.media.state import State, Status
from gateway.sources import watch
from gateway.sources.backoff import LARGEST_S, Backoff


def middle():
    return Backoff(rand=lambda: 0.5)


def test_delays_double_from_half_a_second_to_thirty():
    backoff = middle()
    delays = [backoff.next_delay(Retry.BACKOFF) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_what_needs_new_settings_in_the_camera_is_retried_slowly():
    backoff = middle()
    assert [backoff.next_delay(Retry.SLOW) for _ in range(5)] == [60, 120, 240, 480, 600]


def test_healthy_session_starts_over_and_a_short_one_does_not():
    backoff = middle()
    for _ in range(5):
        backoff.next_delay(Retry.BACKOFF)
    assert backoff.next_delay(Retry.BACKOFF, healthy_s=2) == 16
    assert backoff.next_delay(Retry.BACKOFF, healthy_s=60) == 0.5


def test_cameras_that_lost_power_together_do_not_come_back_in_step():
    low, high = Backoff(rand=lambda: 0.0), Backoff(rand=lambda: 1.0)
    for _ in range(20):
        slow, fast = high.next_delay(Retry.BACKOFF), low.next_delay(Retry.BACKOFF)
    assert slow > fast
    assert slow < LARGEST_S * 1.21


LIVE = Status(State.LIVE, since=1.0)


def look(status, silent_s, fps=25.0):
    return watch.observe(status, now=100.0, wall=1000.0, last_video_at=100.0 - silent_s, fps=fps)


def test_frozen_picture_is_called_late_and_dated_from_its_last_picture():
    late = look(LIVE, 2.0)
    assert (late.state, late.since) == (State.LATE, 998.0)
    assert look(late, 0.1).state is State.LIVE


def test_slow_camera_is_not_late_after_a_second():
    assert look(LIVE, 2.0, fps=1.0) is LIVE
    assert look(LIVE, 4.0, fps=1.0).state is State.LATE


def test_only_live_streams_can_be_late():
    for state in (State.CONNECTING, State.OFFLINE, State.STALLED, State.DISABLED):
        status = Status(state, since=0.0)
        assert look(status, 60.0) is status
