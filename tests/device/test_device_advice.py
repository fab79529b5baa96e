"""What is advised, and that pages and program say it in the same words."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gateway.device.advice import TEXTS, Observed, advise

STRINGS = Path(__file__).resolve().parents[2] / "web" / "static" / "js" / "strings.en.js"
MAIN = Observed("main", "h264", 1920, 1080, 25.0, 4e6, 2.0, 4.0, "", 25.0)
SUB = Observed("sub", "h264", 640, 360, 15.0, 5e5, 2.0, 4.0, "", 15.0)


def changed(stream: Observed, **changes: object) -> Observed:
    from dataclasses import replace

    return replace(stream, **changes)  # type: ignore[arg-type]  # the fields' types are the tests'


def keys(*streams: Observed, clock: float | None = 0.5) -> list[str]:
    return [piece.key for piece in advise(streams, clock)]


def test_camera_that_is_set_well_is_left_alone():
    assert keys(MAIN, SUB) == []
    assert keys(MAIN, SUB, clock=None) == []


@pytest.mark.parametrize(
    ("streams", "clock", "expected"),
    [
        ((changed(MAIN, keyframe_interval=10.0), SUB), 0.0, ["keyframes"]),
        ((changed(MAIN, keyframe_interval=0.0, watched_s=13.0), SUB), 0.0, ["no_keyframe"]),
        ((changed(MAIN, keyframe_interval=0.0, watched_s=0.0), SUB), 0.0, []),
        ((changed(MAIN, codec="h265"), SUB), 0.0, ["h265_main"]),
        ((MAIN, changed(SUB, codec="h265")), 0.0, ["h265_sub"]),
        ((MAIN,), 0.0, ["no_sub"]),
        ((MAIN, changed(SUB, width=1920, height=1080)), 0.0, ["large_sub"]),
        ((MAIN, changed(SUB, bitrate=3e6)), 0.0, ["large_sub"]),
        ((changed(MAIN, fps=12.0), SUB), 0.0, ["slow"]),
        ((changed(MAIN, fps=12.0, set_fps=0.0), SUB), 0.0, []),
        ((MAIN, SUB), 5.5, ["clock_fast"]),
        ((MAIN, SUB), -3600.0, ["clock_slow"]),
        ((changed(MAIN, audio_note="G.711 µ-law transcoded to AAC"), SUB), 0.0, ["audio"]),
        ((), 0.0, []),
    ],
)
def test_each_fault_has_its_advice(streams: tuple[Observed, ...], clock: float, expected: list[str]):
    found = advise(streams, clock)
    assert [piece.key for piece in found] == expected
    assert all("{" not in piece.text for piece in found)


def test_numbers_are_those_of_the_camera():
    (piece,) = advise((changed(MAIN, keyframe_interval=9.96), SUB), 0.0)
    assert "every 10 s: set 1 to 2 s (50 pictures)" in piece.text


def test_pages_say_it_in_the_same_words():
    found = re.findall(r'^ {2}"advice\.(\w+)": (".*"),$', STRINGS.read_text(encoding="utf-8"), re.MULTILINE)
    assert {key: json.loads(text) for key, text in found} == TEXTS
