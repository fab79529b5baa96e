"""Who is stuck is found out, and only what nobody can do without ends the process."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.pulse import FOREVER, Promise, Role, judge

NOW = 1000.0


def made(*late: bool, role: Role = Role.READER) -> list[Promise]:
    return [Promise(f"{role.value} {number}", role, NOW - 1 if one else NOW + 1) for number, one in enumerate(late)]


@pytest.mark.parametrize(
    ("promises", "alive", "stuck"),
    [
        ([], True, 0),
        (made(False, role=Role.VITAL), True, 0),
        (made(True, role=Role.VITAL), False, 1),
        (made(True, *[False] * 15), True, 1),
        (made(*[True] * 15, False), True, 15),
        (made(*[True] * 16), False, 16),
        (made(True), True, 1),
        (made(True, True, role=Role.COMPANION), True, 2),
        (made(True, True, role=Role.COMPANION) + made(False), True, 2),
    ],
)
def test_one_stuck_reader_is_reported_and_what_is_vital_ends_the_process(promises, alive, stuck):
    verdict = judge(promises, NOW)
    assert (verdict.alive, len(verdict.stuck)) == (alive, stuck)


def test_who_promised_nothing_is_never_late():
    assert judge([Promise("idle", Role.VITAL, FOREVER)], 1e12).alive


def test_a_promise_holds_until_its_time_is_over():
    assert judge([Promise("tick", Role.VITAL, NOW)], NOW).alive
    assert not judge([Promise("tick", Role.VITAL, NOW)], NOW + 0.001).alive


def test_a_defect_of_the_record_is_no_reason_to_start_the_gateway_again(config, serving):
    """States are told and readers run: cameras must not go for a journal that cannot be kept."""

    async def main() -> bool:
        async with serving(config) as service:
            service._ticker.stop()
            service._health.tick = lambda: 1 / 0
            service._ticked_at -= 60
            assert not judge(service.promises(), time.monotonic()).alive
            with pytest.raises(ZeroDivisionError):
                service._tick()
            return judge(service.promises(), time.monotonic()).alive

    assert asyncio.run(main())
