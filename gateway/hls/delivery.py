"""Delivery directives: when a blocking playlist request is answered, and when it is refused (draft 6.2.5.2). Pure."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.hls.window import Position

MSN_AHEAD = 2
"""Requests for more than this many segments after the last one are refused."""
ADVANCE_PARTS = 3
"""Advance Part Limit: this many parts, or this many seconds of parts shorter than one."""
_MAX_DIGITS = 18


class BadDirective(Exception):
    """The directives make no sense; answered with 400."""


class Verdict(enum.Enum):
    """What to do with a request now."""

    ANSWER = "answer"
    WAIT = "wait"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Directives:
    """`_HLS_msn`, `_HLS_part` (both None for a plain request) and `_HLS_skip`."""

    msn: int | None = None
    part: int | None = None
    delta: bool = False


def parse(parameters: Mapping[str, str]) -> Directives:
    """Directives of a request. Raises BadDirective for a part without msn and for anything but decimal integers."""
    msn = _number(parameters, "_HLS_msn")
    part = _number(parameters, "_HLS_part")
    if part is not None and msn is None:
        raise BadDirective("_HLS_part needs _HLS_msn")
    # any other value is ignored (6.2.5.1); v2 only says that dates may be skipped too, and these playlists have no date ranges
    return Directives(msn, part, parameters.get("_HLS_skip") in ("YES", "v2"))


def judge(directives: Directives, position: Position, part_target_s: float) -> Verdict:
    """Answer at once, wait for more, or refuse because it is too far ahead."""
    if directives.msn is None:
        return Verdict.ANSWER
    msn, part = directives.msn, directives.part
    ahead = msn - position.last_msn
    if ahead > MSN_AHEAD:
        return Verdict.REFUSE
    if part is None:
        return Verdict.ANSWER if ahead <= 0 else Verdict.WAIT
    if ahead < 0:
        return Verdict.ANSWER
    limit = ADVANCE_PARTS if part_target_s >= 1 else math.ceil(ADVANCE_PARTS / part_target_s)
    there = position.last_parts if ahead == 0 else position.open_parts if ahead == 1 else 0
    if part - (there - 1) > limit:
        return Verdict.REFUSE
    if ahead == 0:
        # Past the end of the finished segment means the first part of the next one.
        return Verdict.ANSWER if part < there or position.open_parts else Verdict.WAIT
    if ahead == 1:
        return Verdict.ANSWER if part < there else Verdict.WAIT
    return Verdict.WAIT


def _number(parameters: Mapping[str, str], name: str) -> int | None:
    text = parameters.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS:
        raise BadDirective(f"{name} is not a decimal number")
    return int(text)
