"""Who is watching."""

from gateway.hls.viewers import MAX_VIEWERS, VIEWER_S, Viewers
from gateway.media.demand import Demand


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_counts_once_and_until_it_stays_away() -> None:
    demand, clock = Demand(), Clock()
    viewers = Viewers(demand, clock)
    for _ in range(3):
        with viewers.present(("10.0.0.1", "player")):
            assert demand.count("hls") == 1
    clock.now += VIEWER_S
    viewers.sweep()
    assert demand.count("hls") == 1
    clock.now += 1
    viewers.sweep()
    assert demand.count("hls") == 0
    assert not demand.active


def test_different_players_at_one_address_are_two() -> None:
    demand = Demand()
    viewers = Viewers(demand, Clock())
    with viewers.present(("10.0.0.1", "a")), viewers.present(("10.0.0.1", "b")):
        assert demand.count("hls") == 2


def test_a_client_whose_request_is_held_is_still_there() -> None:
    demand, clock = Demand(), Clock()
    viewers = Viewers(demand, clock)
    with viewers.present(("10.0.0.1", "player")):
        clock.now += 100
        viewers.sweep()
        assert demand.count("hls") == 1


def test_invented_user_agents_do_not_grow_for_ever() -> None:
    viewers = Viewers(Demand(), Clock())
    for index in range(MAX_VIEWERS + 50):
        with viewers.present(("10.0.0.1", str(index))):
            pass
    assert len(viewers) <= MAX_VIEWERS + 1
    viewers.clear()
    assert len(viewers) == 0
