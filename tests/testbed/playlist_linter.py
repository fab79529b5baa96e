"""Judges media playlists against draft-pantos-hls-rfc8216bis, one by one and as a sequence. Independent of the code under test.

`Linter.check(text)` returns the parsed playlist or raises AssertionError with the rule that was broken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

_ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^,"]+)(?:,|$)')
_ONCE = ("VERSION", "TARGETDURATION", "SERVER-CONTROL", "PART-INF", "MEDIA-SEQUENCE", "DISCONTINUITY-SEQUENCE", "PRELOAD-HINT")


@dataclass
class PartLine:
    duration: Decimal
    uri: str
    independent: bool


@dataclass
class SegmentLines:
    msn: int
    map_uri: str
    discontinuity: int
    date: datetime | None
    parts: list[PartLine] = field(default_factory=list)
    duration: Decimal | None = None
    uri: str = ""


@dataclass
class Parsed:
    target: int
    part_target: Decimal
    first_msn: int
    discontinuity_sequence: int
    segments: list[SegmentLines]
    hint: str
    skip_until: Decimal | None = None
    skipped: int = 0

    @property
    def complete(self) -> list[SegmentLines]:
        return [segment for segment in self.segments if segment.duration is not None]


def attributes(text: str) -> dict[str, str]:
    found = _ATTRIBUTE.findall(text)
    assert ",".join(f"{name}={value}" for name, value in found) == text, f"malformed attribute list: {text}"
    names = [name for name, _ in found]
    assert len(names) == len(set(names)), f"repeated attribute: {text}"
    return {name: value.strip('"') for name, value in found}


def parse(text: str) -> Parsed:
    """Parse and check everything one playlist must hold."""
    assert text.startswith("#EXTM3U\n")
    assert text.endswith("\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ufeff]", text), "control characters"
    lines = text.splitlines()[1:]
    assert not any(line != line.strip() or not line for line in lines)
    assert not any(line.startswith(("#EXT-X-PLAYLIST-TYPE", "#EXT-X-ENDLIST")) for line in lines)
    tags = [line[7:].partition(":")[::2] for line in lines if line.startswith("#EXT-X-")]
    for name in _ONCE:
        assert sum(tag == name for tag, _ in tags) == 1, f"{name} must be there exactly once"
    single = dict(tags)
    delta = "SKIP" in single
    assert int(single["VERSION"]) == (9 if delta else 6), "EXT-X-MAP needs 6, EXT-X-SKIP needs 9, nothing here needs more"
    target = int(single["TARGETDURATION"])
    assert target >= 1
    part_target = Decimal(attributes(single["PART-INF"])["PART-TARGET"])
    assert part_target > 0
    control = attributes(single["SERVER-CONTROL"])
    assert control["CAN-BLOCK-RELOAD"] == "YES"
    assert Decimal(control["PART-HOLD-BACK"]) >= 3 * part_target
    assert Decimal(control["HOLD-BACK"]) >= 3 * target
    assert set(control) <= {"CAN-BLOCK-RELOAD", "PART-HOLD-BACK", "HOLD-BACK", "CAN-SKIP-UNTIL"}
    parsed = Parsed(target, part_target, int(single["MEDIA-SEQUENCE"]), int(single["DISCONTINUITY-SEQUENCE"]), [], "")
    if "CAN-SKIP-UNTIL" in control:
        parsed.skip_until = Decimal(control["CAN-SKIP-UNTIL"])
        assert parsed.skip_until >= 6 * target
    if delta:
        assert parsed.skip_until is not None, "EXT-X-SKIP was not offered"
        parsed.skipped = int(attributes(single["SKIP"])["SKIPPED-SEGMENTS"])
        assert parsed.skipped >= 1
    _body(parsed, lines)
    _durations(parsed)
    assert parsed.hint, "a live playlist with parts needs a hint"
    listed = {part.uri for segment in parsed.segments for part in segment.parts}
    assert parsed.hint not in listed, "the hinted part is already listed"
    return parsed


def _body(parsed: Parsed, lines: list[str]) -> None:
    seen_header: set[str] = set()
    map_uri, discontinuity = "", parsed.discontinuity_sequence
    current: SegmentLines | None = None

    def segment() -> SegmentLines:
        nonlocal current
        if current is None:
            msn = parsed.first_msn + parsed.skipped + len(parsed.segments)
            current = SegmentLines(msn, map_uri, discontinuity, None)
        return current

    extinf: Decimal | None = None
    for line in lines:
        assert not parsed.hint, "nothing follows the preload hint"
        name, _, value = line.partition(":")
        match name:
            case "#EXT-X-MEDIA-SEQUENCE" | "#EXT-X-DISCONTINUITY-SEQUENCE":
                assert not parsed.segments
                assert current is None
                seen_header.add(name)
            case "#EXT-X-SKIP":
                assert len(seen_header) == 2
                assert not parsed.segments
                assert current is None, "EXT-X-SKIP stands before the segments"
            case "#EXT-X-DISCONTINUITY":
                assert current is None, "DISCONTINUITY after the segment's first tag"
                assert len(seen_header) == 2
                discontinuity += 1
                map_uri = ""
            case "#EXT-X-MAP":
                assert current is None, "MAP after the segment's first part"
                map_uri = attributes(value)["URI"]
            case "#EXT-X-PROGRAM-DATE-TIME":
                assert not segment().parts, "PROGRAM-DATE-TIME after a part"
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value)
                segment().date = datetime.fromisoformat(value)
            case "#EXT-X-PART":
                part = attributes(value)
                assert set(part) <= {"DURATION", "URI", "INDEPENDENT"}, "GAP=YES stops hls.js"
                independent = part.get("INDEPENDENT") == "YES"
                segment().parts.append(PartLine(Decimal(part["DURATION"]), part["URI"], independent))
            case "#EXTINF":
                extinf = Decimal(value.rstrip(","))
            case "#EXT-X-PRELOAD-HINT":
                hint = attributes(value)
                assert hint["TYPE"] == "PART"
                parsed.hint = hint["URI"]
            case _ if not line.startswith("#"):
                assert extinf is not None
                done = segment()
                done.duration, done.uri = extinf, line
                assert done.map_uri, "EXT-X-MAP missing"
                assert done.date is not None, "PROGRAM-DATE-TIME missing"
                parsed.segments.append(done)
                current, extinf = None, None
            case _:
                assert not parsed.segments
                assert current is None, f"header tag in the body: {line}"
    if current is not None:
        assert current.parts
        assert current.map_uri
        assert current.date is not None
        parsed.segments.append(current)


def _durations(parsed: Parsed) -> None:
    least = parsed.part_target * Decimal("0.85")
    for segment in parsed.segments:
        if segment.duration is not None:
            assert int(segment.duration + Decimal("0.5")) <= parsed.target, f"EXTINF {segment.duration} > {parsed.target}"
            if segment.parts:
                assert sum(part.duration for part in segment.parts) == segment.duration
        for index, part in enumerate(segment.parts):
            assert part.duration <= parsed.part_target, f"part {part.duration} > {parsed.part_target}"
            last = segment.duration is not None and index + 1 == len(segment.parts)
            if not (last or part.independent):
                assert part.duration >= least, f"part {part.duration} < 85 % of {parsed.part_target}"
    left = Decimal(0)
    for segment in reversed(parsed.segments):
        left += segment.duration if segment.duration is not None else sum(part.duration for part in segment.parts)
        if left > 3 * parsed.target:
            assert not segment.parts, "parts listed more than three target durations from the end"


class Linter:
    """Playlists of one stream in the order they were fetched, also over restarts of the source."""

    def __init__(self) -> None:
        self.last: Parsed | None = None
        self.checked = 0
        self._segments: dict[int, SegmentLines] = {}

    def check(self, text: str) -> Parsed:
        now = parse(text)
        if now.skipped:
            now = self._whole(now)
        before, self.last = self.last, now
        self.checked += 1
        if before is not None:
            assert now.target == before.target, "TARGETDURATION changed"
            assert now.part_target == before.part_target, "PART-TARGET changed"
            assert now.skip_until == before.skip_until, "CAN-SKIP-UNTIL changed"
            assert now.first_msn >= before.first_msn, "MEDIA-SEQUENCE went back"
            assert now.discontinuity_sequence >= before.discontinuity_sequence
            if now.first_msn > before.first_msn:
                listed = sum(s.duration for s in now.complete if s.duration is not None)
                assert listed >= 3 * now.target, "a segment was removed although the playlist became too short"
        for segment in now.segments:
            known = self._segments.get(segment.msn)
            if known is not None:
                self._same(known, segment)
            self._segments[segment.msn] = segment if segment.parts or known is None else known
        return now

    def _whole(self, delta: Parsed) -> Parsed:
        """What a client makes of a delta update: the segments it knows, then the new ones (6.3.7)."""
        assert self.last is not None, "a delta update was given to a client that has nothing"
        old = {segment.msn: segment for segment in self.last.segments}
        first_new = delta.first_msn + delta.skipped
        known = [old.get(msn) for msn in range(delta.first_msn, first_new)]
        kept = [segment for segment in known if segment is not None and segment.duration is not None]
        assert len(kept) == delta.skipped, "a segment was skipped that the last playlist did not have"
        breaks = kept[-1].discontinuity - delta.discontinuity_sequence
        for segment in delta.segments:
            segment.discontinuity += breaks
        assert delta.skip_until is not None
        after = sum(s.duration if s.duration is not None else sum(p.duration for p in s.parts) for s in delta.segments)
        assert after >= delta.skip_until, "a segment after the Skip Boundary was skipped"
        delta.segments = kept + delta.segments
        return delta

    @staticmethod
    def _same(known: SegmentLines, now: SegmentLines) -> None:
        assert known.discontinuity == now.discontinuity, f"discontinuity number of {now.msn} changed"
        assert (known.map_uri, known.date) == (now.map_uri, now.date)
        if known.duration is not None:
            assert (known.duration, known.uri) == (now.duration, now.uri)
        if now.parts:
            assert now.parts[: len(known.parts)] == known.parts, f"parts of {now.msn} changed"
