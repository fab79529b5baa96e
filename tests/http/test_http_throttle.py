"""Slowing down of guesses."""

from __future__ import annotations

from gateway.http import throttle as throttle_module
from gateway.http.throttle import FORGET_AFTER_S, FREE_ATTEMPTS, MAX_DELAY_S, Throttle


def test_delays_double_after_the_free_attempts_up_to_a_bound(clock):
    throttle = Throttle(clock)
    delays = []
    for _ in range(FREE_ATTEMPTS + 9):
        assert throttle.attempt("10.0.0.1") == 0
        delay = throttle.attempt("10.0.0.1") if len(delays) >= FREE_ATTEMPTS - 1 else 0.0
        delays.append(delay)
        clock.now += delay
    assert delays[FREE_ATTEMPTS - 1 :] == [1, 2, 4, 8, 16, 32, 64, MAX_DELAY_S, MAX_DELAY_S, MAX_DELAY_S]


def test_other_addresses_are_not_delayed_but_the_same_ipv6_site_is(clock):
    throttle = Throttle(clock)
    for number in range(FREE_ATTEMPTS):
        throttle.attempt(f"2001:db8::{number}")
    assert throttle.attempt("2001:db8::ffff") > 0
    assert throttle.attempt("2001:db8:0:1::1") == 0
    assert throttle.attempt("10.0.0.1") == 0
    assert throttle.attempt("::1") == 0
    assert throttle.attempt("") == 0


def test_success_and_time_forgive(clock):
    throttle = Throttle(clock)
    for _ in range(FREE_ATTEMPTS):
        throttle.attempt("10.0.0.1")
        throttle.attempt("10.0.0.2")
    throttle.succeeded("10.0.0.1")
    assert throttle.attempt("10.0.0.1") == 0
    clock.now += FORGET_AFTER_S + 1
    for _ in range(FREE_ATTEMPTS):
        assert throttle.attempt("10.0.0.2") == 0


def test_the_table_does_not_grow_with_the_number_of_attackers(clock, monkeypatch):
    monkeypatch.setattr(throttle_module, "MAX_CLIENTS", 10)
    throttle = Throttle(clock)
    for number in range(100):
        throttle.attempt(f"10.0.1.{number}")
    assert len(throttle._records) == 10
