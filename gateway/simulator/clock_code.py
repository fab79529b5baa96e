"""The clock in the picture: a wall clock that a program can read back from the pixels at the far end.

The simulator paints it before encoding; tests and benchmarks read it after decoding, and the difference to their own
clock is the latency of everything in between. Pure, any thread.

Form: Unix milliseconds modulo 2^40 as 40 bits, then 4 bits of checksum (sum of the ten nibbles modulo 16), most
significant bit first, as white (1) and black (0) square cells in 4 rows of 11. The side of a cell is a whole
eighteenth of the picture's height, rounded down; the first cell lies one cell in from the top left corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

CLOCK_BITS = 40
CHECK_BITS = 4
COLUMNS = 11
ROWS = 4
MODULUS_MS = 1 << CLOCK_BITS

WHITE = 235
BLACK = 16
"""Luma of limited range video (ITU-R BT.709)."""

MIDDLE = (WHITE + BLACK) // 2
MARGIN = 30
"""A cell whose mean luma is nearer to the middle than this is not a cell: low bit rates blur by about 15."""
SOURCE_HEIGHTS = (2160, 1440, 1080, 960, 720, 576, 540, 480, 360, 288, 240, 180)
"""Heights a picture may have had before it was scaled: rounding down made cells 26 high of 480 lines, not 26.67."""
PROBES = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Where a cell is sampled, as parts of its side: away from its edges, which scaling and the encoder smear."""


def cell_side(height: int) -> int:
    """Side of a cell in pixels of a picture `height` lines high."""
    return height // 18


def clock_rows(milliseconds: int) -> list[tuple[int, ...]]:
    """The 4 rows of 11 bits that show `milliseconds` (since the epoch; taken modulo 2^40)."""
    code = _with_check(milliseconds % MODULUS_MS)
    bits = [(code >> shift) & 1 for shift in range(COLUMNS * ROWS - 1, -1, -1)]
    return [tuple(bits[row * COLUMNS : (row + 1) * COLUMNS]) for row in range(ROWS)]


def read_clock(y_plane: bytes | bytearray | memoryview, width: int, height: int, stride: int) -> int | None:
    """The clock painted into a luma plane, in milliseconds modulo 2^40; None if there is no legible one.

    The picture may have been scaled as a whole. `stride` is the distance between two lines in bytes.
    """
    if height < 18 or width > stride or len(y_plane) < stride * (height - 1) + width:
        return None
    for side in _possible_sides(height):
        if side * (COLUMNS + 1) > width:
            continue
        code = _read_cells(y_plane, stride, side)
        if code and _with_check(code >> CHECK_BITS) == code:
            return code >> CHECK_BITS
    return None


def age_ms(read: int, now_ms: int) -> int:
    """How long before `now_ms` (Unix milliseconds) the clock showed `read`; negative if it is ahead of us."""
    age = (now_ms - read) % MODULUS_MS
    return age - MODULUS_MS if age >= MODULUS_MS // 2 else age


def _with_check(value: int) -> int:
    check = sum((value >> shift) & 15 for shift in range(0, CLOCK_BITS, 4)) % 16
    return (value << CHECK_BITS) | check


def _possible_sides(height: int) -> Iterator[float]:
    seen: set[float] = set()
    for source in (height, *SOURCE_HEIGHTS):
        side = round(cell_side(source) * height / source, 3)
        if side not in seen:
            seen.add(side)
            yield side


def _read_cells(y_plane: Sequence[int], stride: int, side: float) -> int:
    """The 44 bits, or 0 if any cell is neither black nor white. A black picture reads as 0 as well: no clock."""
    code = 0
    for row in range(ROWS):
        lines = [int((1 + row + part) * side) * stride for part in PROBES]
        for column in range(COLUMNS):
            columns = [int((1 + column + part) * side) for part in PROBES]
            mean = sum(y_plane[line + x] for line in lines for x in columns) // (len(PROBES) ** 2)
            if abs(mean - MIDDLE) < MARGIN:
                return 0
            code = (code << 1) | (mean > MIDDLE)
    return code
