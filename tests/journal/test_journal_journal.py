"""The journal over restarts: it says when it was cut off, remembers the newest, and tells each thing once."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.box.facts import Box
from gateway.journal.incident import Change, Step
from gateway.journal.journal import Journal
from gateway.journal.kinds import IncidentKind
from gateway.media.state import State, Status

DEADLINE_S = 10.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0
        self.wall = 1_700_000_000.0


class Kept:
    """A journal and what it told."""

    def __init__(self, folder, clock: Clock) -> None:
        self.told: list[Change] = []
        self.clock = clock
        self.journal = Journal(
            folder,
            1e9,
            "1.2.3",
            self.told.append,
            monotonic=lambda: clock.now,
            wall=lambda: clock.wall,
            look=lambda _path: Box(),
        )

    async def open(self) -> Kept:
        self.journal.start()
        deadline = time.monotonic() + DEADLINE_S
        while not self.told and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        return self

    def pass_(self, seconds: float, **states: State) -> None:
        for _ in range(round(seconds / 0.5)):
            self.journal.observe({camera: Status(state, self.clock.wall, "why", "code") for camera, state in states.items()})
            self.clock.now += 0.5
            self.clock.wall += 0.5

    def kinds(self) -> list[str]:
        return [change.incident.kind.value for change in self.told]


def test_a_start_after_a_clean_stop_and_one_after_a_cut(tmp_path):
    async def main():
        clock = Clock()
        first = await Kept(tmp_path, clock).open()
        assert first.kinds() == ["start"]
        first.pass_(60, door=State.LIVE)
        first.pass_(60, door=State.OFFLINE)
        await first.journal.stop()

        clock.wall += 3600
        second = await Kept(tmp_path, clock).open()
        assert second.kinds() == ["start"]
        (row,) = second.journal.last("door")
        assert row.ended is not None
        assert row.ended < clock.wall - 3000, "it ended with the gateway, as far as anybody knows"
        day, week = second.journal.uptime("door")
        assert day == week
        assert day is not None
        assert 0.45 < day < 0.55
        await asyncio.wrap_future(second.journal.ask(None, 1))
        # cut off: nobody says stop
        third = await Kept(tmp_path, clock).open()
        assert third.kinds() == ["unclean-shutdown", "start"]
        assert [change.step for change in third.told] == [Step.NOTED, Step.NOTED]
        assert [one.kind for one in third.journal.last("")][:2] == [IncidentKind.START, IncidentKind.UNCLEAN_SHUTDOWN]
        await third.journal.stop()
        await second.journal.stop()

    asyncio.run(main())


def test_recounts_are_kept_and_nobody_is_told(tmp_path):
    async def main():
        kept = await Kept(tmp_path, Clock()).open()
        kept.pass_(60, door=State.LIVE)
        for _ in range(12):
            kept.pass_(2, door=State.OFFLINE)
            kept.pass_(30, door=State.LIVE)
        assert kept.kinds() == ["start", "unstable"]
        assert kept.journal.last("door")[0].count == 12
        rows = await asyncio.wrap_future(kept.journal.ask("door", 10))
        assert [(row.kind, row.count) for row in rows] == [(IncidentKind.UNSTABLE, 12)]
        assert kept.journal.counts[IncidentKind.UNSTABLE] == 1
        kept.pass_(1)
        assert kept.kinds()[-1] == "unstable"
        assert kept.told[-1].step is Step.ENDED, "the camera was taken out of the configuration"
        assert kept.journal.open == []
        await kept.journal.stop()

    asyncio.run(main())


def test_ids_go_on_growing_when_the_clock_was_set_back(tmp_path):
    async def main():
        clock = Clock()
        first = await Kept(tmp_path, clock).open()
        await first.journal.stop()
        clock.wall -= 86400
        second = await Kept(tmp_path, clock).open()
        ids = [one.id for one in second.journal.last("")]
        assert len(set(ids)) == 2
        assert ids == sorted(ids, reverse=True)
        await second.journal.stop()

    asyncio.run(main())


def test_a_start_is_told_although_the_disk_does_not_work(tmp_path):
    async def main():
        kept = await Kept(tmp_path / "missing", Clock()).open()
        assert kept.kinds() == ["start"]
        kept.pass_(60, door=State.LIVE)
        kept.pass_(30, door=State.OFFLINE)
        assert kept.kinds() == ["start", "offline"]
        assert kept.journal.last("door")[0].kind is IncidentKind.OFFLINE
        assert kept.journal.trouble
        await kept.journal.stop()

    asyncio.run(main())


@pytest.mark.parametrize(("step_s", "text"), [(3600.0, "forward by 3600 s"), (-90.0, "back by 90 s"), (1.5, None)])
def test_a_clock_that_was_set_is_noted_if_anybody_could_notice(tmp_path, step_s, text):
    async def main():
        kept = await Kept(tmp_path, Clock()).open()
        kept.journal.clock_was_set(step_s)
        assert kept.kinds() == ["start", "clock-step"][: 2 if text else 1]
        assert text is None or text in kept.told[-1].incident.reason
        await kept.journal.stop()

    asyncio.run(main())
