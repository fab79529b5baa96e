"""Blocking reload: the table of the draft, 6.2.5.2."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.hls.delivery import BadDirective, Directives, Verdict, judge, parse
from gateway.hls.window import Position

HERE = Position(last_msn=100, last_parts=10, open_parts=3)
BETWEEN = Position(last_msn=100, last_parts=10, open_parts=0)
ANSWER, WAIT, REFUSE = Verdict.ANSWER, Verdict.WAIT, Verdict.REFUSE


@pytest.mark.parametrize(
    ("position", "msn", "part", "verdict"),
    [
        (HERE, None, None, ANSWER),
        (HERE, 100, None, ANSWER),
        (HERE, 1, None, ANSWER),
        (HERE, 1, 99, ANSWER),
        (HERE, 101, None, WAIT),
        (HERE, 102, None, WAIT),
        (HERE, 103, None, REFUSE),
        (HERE, 101, 0, ANSWER),
        (HERE, 101, 2, ANSWER),
        (HERE, 101, 3, WAIT),
        (HERE, 101, 2 + 15, WAIT),
        (HERE, 101, 2 + 16, REFUSE),
        (HERE, 102, 0, WAIT),
        (HERE, 102, 15, REFUSE),
        (HERE, 100, 9, ANSWER),
        (HERE, 100, 10, ANSWER),
        (BETWEEN, 100, 9, ANSWER),
        (BETWEEN, 100, 10, WAIT),
        (BETWEEN, 100, 11, WAIT),
        (BETWEEN, 100, 10 + 15, REFUSE),
        (BETWEEN, 101, 0, WAIT),
    ],
)
def test_table(position: Position, msn: int | None, part: int | None, verdict: Verdict) -> None:
    assert judge(Directives(msn, part), position, 0.2) is verdict


def test_parts_of_a_second_and_more_may_be_three_ahead() -> None:
    assert judge(Directives(101, 5), HERE, 1.05) is WAIT
    assert judge(Directives(101, 6), HERE, 1.05) is REFUSE


def test_rollover_asks_for_the_same_thing() -> None:
    for position in (HERE, BETWEEN):
        verdicts = {judge(Directives(msn, part), position, 0.2) for msn, part in ((100, 10), (100, 11), (101, 0))}
        assert len(verdicts) == 1


@pytest.mark.parametrize(
    "query",
    [{"_HLS_part": "1"}, {"_HLS_msn": "x"}, {"_HLS_msn": "-1"}, {"_HLS_msn": "1.5"}, {"_HLS_msn": ""},
     {"_HLS_msn": "9" * 30}, {"_HLS_msn": "1", "_HLS_part": "a"}, {"_HLS_msn": "٣"}],
)  # fmt: skip
def test_senseless_directives_are_refused(query: dict[str, str]) -> None:
    with pytest.raises(BadDirective):
        parse(query)


@given(st.dictionaries(st.sampled_from(["_HLS_msn", "_HLS_part"]), st.text(max_size=24)))
def test_any_query_is_parsed_or_refused(query: dict[str, str]) -> None:
    try:
        parse(query)
    except BadDirective:
        pass


@pytest.mark.parametrize(("value", "delta"), [("YES", True), ("v2", True), ("no", False), ("", False)])
def test_skip_is_asked_for_by_its_two_values_only(value: str, delta: bool) -> None:
    assert parse({"_HLS_skip": value}).delta is delta
