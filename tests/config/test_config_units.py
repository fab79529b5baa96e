"""Durations and sizes."""

from __future__ import annotations

import pytest

from gateway.config.units import seconds, size, written


@pytest.mark.parametrize(
    ("text", "value"), [("200ms", 0.2), ("2s", 2.0), ("1.5m", 90.0), ("1 h", 3600.0), ("7d", 604800.0), ("0s", 0.0)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("64MB", 64_000_000), ("1.5gb", 1_500_000_000), ("2KiB", 2048), ("1B", 1)])
def test_sizes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize("text", ["12", "", "-1s", "1s2", "nan", "inf", "s", "1,5s", "1M", "9" * 40 + "s", "\u0661s"])
def test_wrong_durations(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        seconds(text)


@pytest.mark.parametrize("text", ["64", "64 parsecs", "-1MB", "64M"])
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="unit"):
        size(text)


@pytest.mark.parametrize(
    ("value", "text"), [(0.2, "200ms"), (2.0, "2s"), (60.0, "1m"), (7200.0, "2h"), (1.5, "1.5s"), (90, "90s")]
)
def test_durations_are_written_as_they_are_read(value: float, text: str) -> None:
    assert written(value) == text
    assert seconds(text) == value
