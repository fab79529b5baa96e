"""Durations and sizes as people write them. A bare number is refused: nobody remembers which unit was meant."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_BYTES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_WRITTEN = re.compile(r"(?P<number>[0-9]{1,12}(?:\.[0-9]{1,6})?)\s*(?P<unit>[A-Za-z]*)", re.ASCII)


def seconds(text: str) -> float:
    """`200ms`, `2s`, `1.5m`, `12h`, `7d` in seconds. ValueError says what is missing."""
    number, unit = _split(text, "200ms, 2s, 1m or 12h")
    if not unit:
        raise ValueError("needs a unit, such as 200ms, 2s or 1m")
    if unit not in _SECONDS:
        raise ValueError("has an unknown unit: use ms, s, m, h or d")
    return round(number * _SECONDS[unit], 6)


def size(text: str) -> int:
    """`64MB`, `1.5GB`, `512KiB` in bytes; KB is 1000 bytes, KiB is 1024. ValueError says what is missing."""
    number, unit = _split(text, "64MB or 2GB")
    if not unit:
        raise ValueError("needs a unit, such as 64MB or 2GB")
    if unit.upper() not in _BYTES:
        raise ValueError("has an unknown unit: use B, KB, MB, GB, TB, KiB, MiB, GiB or TiB")
    return round(number * _BYTES[unit.upper()])


def written(value_s: float) -> str:
    """A duration as it would be written in the file: `200ms`, `2s`, `1m`."""
    for unit in ("d", "h", "m", "s"):
        if value_s >= _SECONDS[unit] and value_s % _SECONDS[unit] == 0:
            return f"{value_s / _SECONDS[unit]:g}{unit}"
    return f"{value_s:g}s" if value_s >= 1 else f"{value_s * 1000:g}ms"


def _split(text: str, examples: str) -> tuple[float, str]:
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"must be a number with its unit, such as {examples}")
    return float(match["number"]), match["unit"]
