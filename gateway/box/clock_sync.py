"""Asks the kernel whether the box's clock is kept by somebody (NTP, PTP, chrony), without any program: adjtimex(2).

Reading needs no privilege. `ctypes` because Python has no wrapper; the structure is the kernel's on 64-bit Linux.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

STA_UNSYNC = 0x0040
"""adjtimex(2): set until somebody disciplines the clock, and again when nobody has for hours."""
_MICROSECONDS = 1e-6


class _Timex(ctypes.Structure):
    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),  # more than any kernel writes
    )


@dataclass(frozen=True, slots=True)
class ClockSync:
    """What the kernel says about the clock."""

    synchronised: bool
    error_s: float
    """Greatest error the clock may have; grows by half a second per thousand while nobody corrects it."""


def read_clock() -> ClockSync | None:
    """As it is now; None where the kernel does not tell."""
    try:
        adjtimex = ctypes.CDLL(None, use_errno=True).adjtimex
    except (AttributeError, OSError):
        return None
    timex = _Timex()
    if adjtimex(ctypes.byref(timex)) < 0:
        return None
    return ClockSync(not timex.status & STA_UNSYNC, timex.maxerror * _MICROSECONDS)
