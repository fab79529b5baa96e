"""Paints the test bed's pictures: a grey ramp, a moving bar, and the clock of DESIGN section 5 in the top left corner.

Written apart from the simulator's picture on purpose: a mistake there must not be repeated here. Standard library only,
because the cameras run with the system's Python. Called by the feeder threads of `gst_camera.py`.
"""

CLOCK_BITS = 40
COLUMNS, ROWS = 11, 4
WHITE, BLACK = b"\xeb", b"\x10"


def clock_cells(milliseconds: int) -> list[int]:
    """The 44 bits of the clock in the picture, most significant first."""
    value = milliseconds % (1 << CLOCK_BITS)
    check = sum((value >> shift) & 15 for shift in range(0, CLOCK_BITS, 4)) % 16
    code = (value << 4) | check
    return [(code >> bit) & 1 for bit in range(CLOCK_BITS + 3, -1, -1)]


class Painter:
    """Paints I420 pictures of one size. Both sides must be even."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.cell = width, height, height // 18
        ramp = bytes(60 + 120 * x // width for x in range(width))
        self.base = ramp * height + b"\x80" * (width * height // 2)
        self.bar = max(8, width // 40)
        self.count = 0

    def paint(self, milliseconds: int) -> bytes:
        """The next picture, taken at `milliseconds` since the epoch."""
        picture = bytearray(self.base)
        left = (self.count * self.bar) % (self.width - self.bar)
        for y in range(self.height * 2 // 3, self.height * 5 // 6):
            picture[y * self.width + left : y * self.width + left + self.bar] = b"\xe0" * self.bar
        self.count += 1
        cell = self.cell
        bits = clock_cells(milliseconds)
        for row in range(ROWS):
            line = b"".join((WHITE if bit else BLACK) * cell for bit in bits[row * COLUMNS : (row + 1) * COLUMNS])
            for y in range(cell * (1 + row), cell * (2 + row)):
                picture[y * self.width + cell : y * self.width + cell + len(line)] = line
        return bytes(picture)
