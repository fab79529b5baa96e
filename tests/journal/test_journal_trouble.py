"""A camera's ups and downs become few rows, and no outage is lost among them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.incident import Change, Ids, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.journal.trouble import CameraTrouble
from gateway.media.state import State, Status

T0 = 1_700_000_000.0
TICK_S = 0.5
REASONS = {State.LATE: "late", State.STALLED: "stalled", State.OFFLINE: "unreachable"}


class Camera:
    """A camera that is watched twice a second."""

    def __init__(self) -> None:
        self.trouble = CameraTrouble("door", Ids())
        self.now = 0.0
        self.changes: list[Change] = []

    def is_(self, state: State, seconds: float, code: str = "") -> Camera:
        status = Status(state, T0 + self.now, f"{state.value} it is", code or REASONS.get(state, ""))
        for _ in range(round(seconds / TICK_S)):
            self.changes += self.trouble.observe(status, self.now, T0 + self.now)
            self.now += TICK_S
        return self

    def told(self) -> list[tuple[str, str]]:
        return [(one.step.value, one.incident.kind.value) for one in self.changes if one.step is not Step.COUNTED]

    def rows(self) -> dict[int, Incident]:
        return {one.incident.id: one.incident for one in self.changes}


def test_a_session_that_is_opened_again_at_once_is_no_incident():
    assert Camera().is_(State.LIVE, 60).is_(State.LATE, 1).is_(State.OFFLINE, 2).is_(State.LIVE, 60).changes == []


def test_an_outage_lasts_from_its_first_second_to_the_returned_picture():
    camera = Camera().is_(State.LIVE, 60).is_(State.OFFLINE, 90).is_(State.LIVE, 30)
    assert camera.told() == [("began", "offline"), ("ended", "offline")]
    (row,) = camera.rows().values()
    assert (row.began, row.ended, row.count) == (T0 + 60, T0 + 150, 1)
    assert (row.code, row.reason) == ("unreachable", "offline it is")


def test_late_that_becomes_offline_is_one_incident_of_the_worse_kind():
    camera = Camera().is_(State.LIVE, 60).is_(State.LATE, 8).is_(State.STALLED, 8).is_(State.OFFLINE, 60).is_(State.LIVE, 30)
    assert camera.told() == [
        ("began", "late"), ("changed", "stalled"), ("changed", "offline"), ("ended", "offline"),
    ]  # fmt: skip
    assert len(camera.rows()) == 1


def test_a_picture_that_comes_for_moments_does_not_end_an_outage():
    camera = Camera().is_(State.LIVE, 60).is_(State.OFFLINE, 30).is_(State.LIVE, 5).is_(State.OFFLINE, 30).is_(State.LIVE, 30)
    assert camera.told() == [("began", "offline"), ("ended", "offline")]
    (row,) = camera.rows().values()
    assert (row.count, row.ended) == (2, T0 + 125)


def test_two_seconds_off_every_minute_for_eight_hours_is_one_row():
    camera = Camera().is_(State.LIVE, 60)
    for _ in range(8 * 60):
        camera.is_(State.OFFLINE, 2).is_(State.LIVE, 58)
    assert camera.told() == [("began", "unstable")]
    (row,) = camera.rows().values()
    assert (row.kind, row.count, row.began) == (IncidentKind.UNSTABLE, 480, T0 + 60)
    camera.is_(State.LIVE, 700)
    assert camera.told() == [("began", "unstable"), ("ended", "unstable")]


def test_twenty_seconds_off_every_minute_is_not_a_row_a_minute():
    camera = Camera().is_(State.LIVE, 60)
    for _ in range(60):
        camera.is_(State.OFFLINE, 20).is_(State.LIVE, 40)
    assert len(camera.rows()) <= 4


def test_a_long_outage_of_an_unstable_camera_is_told_all_the_same():
    camera = Camera().is_(State.LIVE, 60)
    for _ in range(5):
        camera.is_(State.OFFLINE, 2).is_(State.LIVE, 58)
    camera.is_(State.OFFLINE, 300)
    assert camera.told()[-1] == ("began", "offline")
    assert camera.rows()[max(camera.rows())].began == T0 + 360


def test_a_publisher_that_has_not_come_yet_is_in_no_trouble_and_one_that_went_is():
    camera = Camera().is_(State.OFFLINE, 600, "waiting")
    assert camera.changes == []
    camera.is_(State.LIVE, 60).is_(State.OFFLINE, 60, "waiting")
    assert camera.told() == [("began", "offline")]


def test_switching_a_camera_off_ends_what_goes_on():
    camera = Camera().is_(State.LIVE, 60).is_(State.OFFLINE, 30).is_(State.DISABLED, 5)
    assert camera.told() == [("began", "offline"), ("ended", "offline")]
    assert camera.trouble.open == ()


def test_a_new_reason_of_the_same_outage_is_kept_without_telling_anybody():
    camera = Camera().is_(State.LIVE, 60).is_(State.OFFLINE, 30).is_(State.OFFLINE, 30, "wrong-credentials")
    assert camera.told() == [("began", "offline")]
    (row,) = camera.rows().values()
    assert row.code == "wrong-credentials"


@given(st.lists(st.tuples(st.sampled_from(list(State)), st.integers(1, 400)), max_size=40))
def test_whatever_a_camera_does_every_incident_begins_once_and_ends_at_most_once(life):
    camera = Camera()
    for state, ticks in life:
        camera.is_(state, ticks * TICK_S)
    steps: dict[int, list[Step]] = {}
    for change in camera.changes:
        steps.setdefault(change.incident.id, []).append(change.step)
        incident = change.incident
        assert incident.ended is None or incident.ended >= incident.began - 5
    for of_one in steps.values():
        assert of_one[0] is Step.BEGAN
        assert of_one.count(Step.BEGAN) == 1
        assert Step.ENDED not in of_one[:-1]
    going_on = {one.id for one in camera.trouble.open}
    assert going_on == {number for number, of_one in steps.items() if of_one[-1] is not Step.ENDED}
