"""The memory of verdicts."""

from __future__ import annotations

from gateway.http import verified as verified_module
from gateway.http.verified import Verified


def test_verdicts_age_and_can_be_forgotten(clock):
    verified: Verified[bool] = Verified(60, clock)
    key = verified.key("admin", "x")
    assert verified.recall(key) is None
    verified.remember(key, False)
    assert verified.recall(key) is False
    clock.now += 61
    assert verified.recall(key) is None
    verified.remember(key, True)
    verified.clear()
    assert verified.recall(key) is None


def test_keys_do_not_confuse_neighbours_and_tell_nothing(clock):
    verified: Verified[bool] = Verified(60, clock)
    assert verified.key("ab", "c") != verified.key("a", "bc")
    assert verified.key("a", "b") == verified.key("a", "b")
    assert Verified[bool](60, clock).key("a", "b") != verified.key("a", "b")
    assert len(verified.key("\ud800", "x" * 5000)) == 16


def test_the_oldest_makes_room(clock, monkeypatch):
    monkeypatch.setattr(verified_module, "MAX_ENTRIES", 2)
    verified: Verified[bool] = Verified(60, clock)
    keys = [verified.key(str(number)) for number in range(3)]
    for key in keys:
        verified.remember(key, True)
    assert [verified.recall(key) for key in keys] == [None, True, True]
