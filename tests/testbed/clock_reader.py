"""Reads the test bed's clock (DESIGN section 5) out of decoded grey pictures, and ticks out of decoded sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

CLOCK_BITS, CHECK_BITS = 40, 4
COLUMNS, ROWS = 11, 4
MIDDLE_GREY = 128
TICK_LEVEL = 0.4
"""Of full scale; the tone between ticks is silence."""
TICK_APART_S = 0.5


def read_clock(grey: npt.NDArray[np.uint8]) -> int | None:
    """Milliseconds modulo 2^40 in a picture of shape (height, width); None if the checksum does not fit."""
    cell = grey.shape[0] // 18
    code = 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            top, left = cell * (1 + row), cell * (1 + column)
            margin = cell // 4
            core = grey[top + margin : top + cell - margin, left + margin : left + cell - margin]
            code = code << 1 | int(core.mean() > MIDDLE_GREY)
    value, check = code >> CHECK_BITS, code & ((1 << CHECK_BITS) - 1)
    if sum((value >> shift) & 15 for shift in range(0, CLOCK_BITS, 4)) % 16 != check:
        return None
    return value


def ticks(samples: npt.NDArray[np.float32], times: Sequence[float], rate: int) -> list[float]:
    """Times at which ticks begin. `samples` are blocks of equal length, `times` when each block begins, in seconds."""
    found: list[float] = []
    for block, begins in zip(samples, times, strict=True):
        loud = np.flatnonzero(np.abs(block) > TICK_LEVEL * max(1e-3, float(np.abs(samples).max())))
        if loud.size:
            at = begins + float(loud[0]) / rate
            if not found or at - found[-1] > TICK_APART_S:
                found.append(at)
    return found
