"""A 5x7 bitmap font of our own, so that the picture needs neither a font file nor an imaging library. Pure, any thread.

Upper case only; lower case is shown as upper case, anything unknown as a hollow box.
"""

from __future__ import annotations

GLYPH_WIDTH = 5
GLYPH_HEIGHT = 7
ADVANCE = 6
"""Dots from one character to the next: the glyph and one empty column."""

_ART = """
A .###. #...# #...# ##### #...# #...# #...#
B ####. #...# #...# ####. #...# #...# ####.
C .###. #...# #.... #.... #.... #...# .###.
D ####. #...# #...# #...# #...# #...# ####.
E ##### #.... #.... ####. #.... #.... #####
F ##### #.... #.... ####. #.... #.... #....
G .###. #...# #.... #.### #...# #...# .####
H #...# #...# #...# ##### #...# #...# #...#
I .###. ..#.. ..#.. ..#.. ..#.. ..#.. .###.
J ..### ...#. ...#. ...#. ...#. #..#. .##..
K #...# #..#. #.#.. ##... #.#.. #..#. #...#
L #.... #.... #.... #.... #.... #.... #####
M #...# ##.## #.#.# #.#.# #...# #...# #...#
N #...# #...# ##..# #.#.# #..## #...# #...#
O .###. #...# #...# #...# #...# #...# .###.
P ####. #...# #...# ####. #.... #.... #....
Q .###. #...# #...# #...# #.#.# #..#. .##.#
R ####. #...# #...# ####. #.#.. #..#. #...#
S .#### #.... #.... .###. ....# ....# ####.
T ##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..
U #...# #...# #...# #...# #...# #...# .###.
V #...# #...# #...# #...# #...# .#.#. ..#..
W #...# #...# #...# #.#.# #.#.# ##.## #...#
X #...# #...# .#.#. ..#.. .#.#. #...# #...#
Y #...# #...# .#.#. ..#.. ..#.. ..#.. ..#..
Z ##### ....# ...#. ..#.. .#... #.... #####
0 .###. #...# #..## #.#.# ##..# #...# .###.
1 ..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.
2 .###. #...# ....# ..##. .#... #.... #####
3 .###. #...# ....# ..##. ....# #...# .###.
4 ...#. ..##. .#.#. #..#. ##### ...#. ...#.
5 ##### #.... ####. ....# ....# #...# .###.
6 ..##. .#... #.... ####. #...# #...# .###.
7 ##### ....# ...#. ..#.. .#... .#... .#...
8 .###. #...# #...# .###. #...# #...# .###.
9 .###. #...# #...# .#### ....# ...#. .##..
. ..... ..... ..... ..... ..... .##.. .##..
, ..... ..... ..... ..... .##.. ..#.. .#...
: ..... .##.. .##.. ..... .##.. .##.. .....
- ..... ..... ..... ##### ..... ..... .....
_ ..... ..... ..... ..... ..... ..... #####
+ ..... ..#.. ..#.. ##### ..#.. ..#.. .....
/ ....# ....# ...#. ..#.. .#... #.... #....
( ...#. ..#.. .#... .#... .#... ..#.. ...#.
) .#... ..#.. ...#. ...#. ...#. ..#.. .#...
# .#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.
' ..#.. ..#.. .#... ..... ..... ..... .....
! ..#.. ..#.. ..#.. ..#.. ..#.. ..... ..#..
? .###. #...# ....# ..##. ..#.. ..... ..#..
% ##..# ##..# ...#. ..#.. .#... #..## #..##
& .##.. #..#. #.#.. .#... #.#.# #..#. .##.#
@ .###. #...# #.### #.#.# #.### #.... .###.
"""

GLYPHS: dict[str, tuple[str, ...]] = {line[0]: tuple(line[2:].split()) for line in _ART.strip().splitlines()}
GLYPHS[" "] = ("." * GLYPH_WIDTH,) * GLYPH_HEIGHT
UNKNOWN = ("#####", "#...#", "#...#", "#...#", "#...#", "#...#", "#####")


class Font:
    """The glyphs blown up by a whole factor, as luma bytes ready to be joined into lines of pixels."""

    def __init__(self, scale: int, ink: int, paper: int) -> None:
        """`scale` is the side of a dot in pixels; `ink` and `paper` are luma values."""
        self.scale = scale
        self._dot = {"#": bytes((ink,)) * scale, ".": bytes((paper,)) * scale}
        self._scaled: dict[str, tuple[bytes, ...]] = {}

    @property
    def height(self) -> int:
        """Pixels from the top to the bottom of a character."""
        return GLYPH_HEIGHT * self.scale

    def width(self, text: str) -> int:
        """Pixels that `text` takes, the gap after its last character included."""
        return ADVANCE * self.scale * len(text)

    def rows(self, text: str) -> list[bytes]:
        """Seven lines of pixels; each is to be drawn `scale` times, one below the other."""
        glyphs = [self._glyph(character) for character in text]
        return [b"".join([glyph[row] for glyph in glyphs]) for row in range(GLYPH_HEIGHT)]

    def _glyph(self, character: str) -> tuple[bytes, ...]:
        found = self._scaled.get(character)
        if found is None:
            art = GLYPHS.get(character.upper(), UNKNOWN)
            found = tuple(b"".join(self._dot[dot] for dot in row + ".") for row in art)
            self._scaled[character] = found
        return found
