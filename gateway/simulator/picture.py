"""Paints the test picture: a moving landscape, the camera's name, the time, and the clock a program can read.

Works on the planes of a YUV 4:2:0 picture without any imaging library, because the simulator must run where the gateway
runs and cost little: everything that stands still is drawn once, each picture is a copy of that with slices patched in
(under a millisecond at 1280x720). A `Painter` belongs to one thread, the encoder's.

Lengths are multiples of a unit, an eighteenth of the height, which is also the side of the clock's cells.
"""

from __future__ import annotations

import colorsys
import math
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from gateway.simulator.clock_code import BLACK, COLUMNS, ROWS, WHITE, cell_side, clock_rows
from gateway.simulator.glyphs import Font

Plane = bytearray | memoryview
"""A writable plane. In a picture its lines are `stride` bytes apart."""

PANEL_LUMA = 26
NEUTRAL = 128
"""Chroma without colour."""
SKY_TOP, SKY_HORIZON = 70, 165
RIDGE_LUMA, HEDGE_LUMA = 92, 52
BALL_LUMA, BALL_EDGE = 225, 130
RIDGE_SPEED, HEDGE_SPEED = 1.2, 4.0
"""Units per second: motion that shows every dropped picture without making the encoder work hard."""
GRAIN_SWINGS = (-2, -1, -1, 0, 0, 0, 0, 1, 1, 2)
GRAIN_MAX = 2
GRAIN_SEED = 18
GRAIN_STEP = 397
"""Prime, and far from any motion an encoder could follow."""
BALL_PERIOD_S, BOUNCE_PERIOD_S = 7.0, 1.6
AIM_LUMA = 235
"""Brighter than anything else in the sky, so that a program finds the mark."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Size of a picture and the stride of its luma and chroma planes, in pixels. Width and height are even."""

    width: int
    height: int
    luma_stride: int
    chroma_stride: int

    @classmethod
    def tight(cls, width: int, height: int) -> Layout:
        """Planes without padding."""
        return cls(width, height, width, width // 2)


def camera_hue(name: str) -> float:
    """The colour of a camera, 0 to 1 around the wheel: stable, and different for names that differ."""
    return zlib.crc32(name.encode()) % 360 / 360


def chroma_of(hue: float, saturation: float) -> tuple[int, int]:
    """Cb and Cr of a hue at middle brightness (BT.709, limited range)."""
    red, green, blue = colorsys.hls_to_rgb(hue, 0.5, saturation)
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return round(NEUTRAL + 224 * (blue - luma) / 1.8556), round(NEUTRAL + 224 * (red - luma) / 1.5748)


class _Ring:
    """A strip of landscape that scrolls without end: its lines are stored twice over, so any window is one slice."""

    def __init__(
        self,
        layout: Layout,
        top: int,
        bottom: int,
        crest: list[float],
        luma: tuple[int, Callable[[int], int]],
        near: tuple[int, int],
        far: tuple[int, int],
    ) -> None:
        self._layout = layout
        self.top, self.bottom = top - top % 2, bottom - bottom % 2
        body, behind = luma
        self._luma: list[bytes] = []
        self._chroma: list[tuple[bytes, bytes]] = []
        for y in range(self.top, self.bottom):
            back = behind(y)
            line = bytes(round(back + (body - back) * min(max(y + 1 - edge, 0.0), 1.0)) for edge in crest)
            self._luma.append(line * 2)
            if y % 2 == 0:
                inside = [y + 1 > edge for edge in crest[::2]]
                self._chroma.append(
                    (
                        bytes(near[0] if covered else far[0] for covered in inside) * 2,
                        bytes(near[1] if covered else far[1] for covered in inside) * 2,
                    )
                )

    def paint(self, planes: tuple[Plane, Plane, Plane], shift: int) -> None:
        """Draw the strip moved left by `shift` pixels."""
        layout = self._layout
        shift %= layout.width
        end = shift + layout.width
        luma, cb, cr = planes
        at, stride, width = self.top * layout.luma_stride, layout.luma_stride, layout.width
        for line in self._luma:
            luma[at : at + width] = line[shift:end]
            at += stride
        half, half_end, width = shift // 2, shift // 2 + layout.width // 2, layout.width // 2
        at, stride = self.top // 2 * layout.chroma_stride, layout.chroma_stride
        for blue, red in self._chroma:
            cb[at : at + width] = blue[half:half_end]
            cr[at : at + width] = red[half:half_end]
            at += stride


class _Grain:
    """Sensor noise over the sky. Without it the picture is so clean that no encoder would ever reach its bit rate."""

    def __init__(self, layout: Layout, left: int, bottom: int, luma: Callable[[int], int]) -> None:
        noise = random.Random(GRAIN_SEED)
        self._layout = layout
        self._left = left
        self._width = layout.width - left
        swings = [noise.choice(GRAIN_SWINGS) for _ in range(self._width * 2)]
        self._lines: list[bytes] = []
        for y in range(bottom if self._width else 0):  # an upright picture has no room beside the clock
            start = noise.randrange(self._width)
            middle = luma(y)
            shades = bytes(range(middle - GRAIN_MAX, middle + GRAIN_MAX + 1))
            line = swings[start : start + self._width]
            self._lines.append(bytes([shades[swing + GRAIN_MAX] for swing in line]) * 2)

    def paint(self, luma: Plane, number: int) -> None:
        """Draw the noise of picture `number`."""
        layout, width = self._layout, self._width
        shift = number * GRAIN_STEP % max(width, 1)
        at = self._left
        for line in self._lines:
            luma[at : at + width] = line[shift : shift + width]
            at += layout.luma_stride


class _Ball:
    """A shaded disc that bounces across the sky."""

    def __init__(self, radius: int, sky: int, chroma: tuple[int, int]) -> None:
        self.radius = radius
        self._luma: list[tuple[int, bytes]] = []
        for dy in range(-radius, radius):
            half = int(math.sqrt(max(radius * radius - (dy + 0.5) ** 2, 0.0)))
            shades = []
            for dx in range(-half, half):
                light = math.hypot(dx + radius * 0.35, dy + radius * 0.35) / (1.5 * radius)
                shades.append(round(BALL_LUMA - (BALL_LUMA - BALL_EDGE) * min(light, 1.0) ** 1.5))
            if shades:
                shades[0] = (shades[0] + sky) // 2
                shades[-1] = (shades[-1] + sky) // 2
            self._luma.append((half, bytes(shades)))
        self._chroma = [
            (half // 2, bytes((chroma[0],)) * (half // 2 * 2), bytes((chroma[1],)) * (half // 2 * 2))
            for half, _ in self._luma[::2]
        ]

    def paint(self, planes: tuple[Plane, Plane, Plane], layout: Layout, x: int, y: int) -> None:
        """Draw the ball around (x, y), which must leave it wholly inside the picture."""
        luma, cb, cr = planes
        at = (y - self.radius) * layout.luma_stride + x
        for half, line in self._luma:
            luma[at - half : at + half] = line
            at += layout.luma_stride
        at = (y - self.radius) // 2 * layout.chroma_stride + x // 2
        for half, blue, red in self._chroma:
            cb[at - half : at + half] = blue
            cr[at - half : at + half] = red
            at += layout.chroma_stride


class Painter:
    """Paints the pictures of one camera at one size. `caption` is shown below the time, e.g. `25 FPS H264`."""

    def __init__(self, layout: Layout, name: str, caption: str, hue: float | None = None) -> None:
        """`hue` is the camera's colour; by default one made from its name."""
        if layout.width < 32 or layout.height < 36 or layout.width % 2 or layout.height % 2:
            raise ValueError(f"cannot paint {layout.width}x{layout.height}: sides must be even, at least 32x36")
        self.layout = layout
        self._unit = unit = cell_side(layout.height)
        self._caption = f"{layout.width}X{layout.height} {caption}".strip()
        hue = camera_hue(name) if hue is None else hue
        self._accent = chroma_of(hue, 0.9)
        self._panel_top = (unit * 25 // 2) & ~1
        self._large = Font(max(unit // 5, 1), WHITE, PANEL_LUMA)
        self._small = Font(max(unit // 10, 1), 170, PANEL_LUMA)
        sky = chroma_of(hue, 0.35)
        near = chroma_of((hue + 0.08) % 1, 0.3)
        self._ridge = _Ring(
            layout, unit * 9, unit * 21 // 2, self._crest(unit * 9.3, unit * 10.3, (2, 5, 11)),
            (RIDGE_LUMA, self._sky_luma), near, sky,
        )  # fmt: skip
        self._hedge = _Ring(
            layout, unit * 21 // 2, self._panel_top, self._crest(unit * 10.7, unit * 12.2, (3, 7, 19, 41)),
            (HEDGE_LUMA, lambda _y: RIDGE_LUMA), chroma_of((hue + 0.16) % 1, 0.35), near,
        )  # fmt: skip
        self._grain = _Grain(layout, min(unit * (COLUMNS + 2), layout.width), unit * 6, self._sky_luma)
        self._ball = _Ball(unit, (SKY_TOP + SKY_HORIZON) // 2, chroma_of((hue + 0.5) % 1, 0.75))
        self._base = self._paint_base(name, sky)

    def paint(
        self, planes: tuple[Plane, Plane, Plane], wall: float, number: int, aim: tuple[float, float, float] | None = None
    ) -> None:
        """Fill the planes with the picture of `wall` (Unix seconds), the `number`-th of its stream.

        `aim` is where the camera looks (pan and tilt -1 to 1, zoom 0 to 1), shown by a white square in the sky.
        """
        for plane, base in zip(planes, self._base, strict=True):
            plane[: len(base)] = base
        unit = self._unit
        self._grain.paint(planes[0], number)
        self._ridge.paint(planes, int(wall % 3600 * RIDGE_SPEED * unit))
        self._hedge.paint(planes, int(wall % 3600 * HEDGE_SPEED * unit))
        self._paint_ball(planes, wall)
        luma = planes[0]
        self._paint_code(luma, int(wall * 1000))
        moment = time.localtime(wall)
        text = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}.{int(wall * 1000) % 1000:03}"
        self._text(luma, self._large, text, unit, unit * 144 // 10)
        self._text(luma, self._small, f"FRAME {number:08}  {self._caption}", unit, unit * 164 // 10)
        self._paint_second(luma, wall % 1.0)
        if aim is not None:
            self._paint_aim(luma, *aim)

    def _paint_base(self, name: str, sky: tuple[int, int]) -> tuple[bytes, bytes, bytes]:
        layout, unit = self.layout, self._unit
        luma = bytearray(layout.luma_stride * layout.height)
        cb = bytearray([NEUTRAL]) * (layout.chroma_stride * (layout.height // 2))
        cr = bytearray(cb)
        for y in range(layout.height):
            shade = self._sky_luma(y) if y < self._panel_top else PANEL_LUMA
            at = y * layout.luma_stride
            luma[at : at + layout.width] = bytes((shade,)) * layout.width
        for y in range(self._panel_top // 2):
            at = y * layout.chroma_stride
            cb[at : at + layout.width // 2] = bytes((sky[0],)) * (layout.width // 2)
            cr[at : at + layout.width // 2] = bytes((sky[1],)) * (layout.width // 2)
        self._paint_surround(luma, cb, cr)
        stripe = max(unit // 10, 1) * 2
        self._fill(luma, layout.luma_stride, (0, self._panel_top, layout.width, stripe), 140)
        half = (0, self._panel_top // 2, layout.width // 2, stripe // 2)
        self._fill(cb, layout.chroma_stride, half, self._accent[0])
        self._fill(cr, layout.chroma_stride, half, self._accent[1])
        self._text(luma, Font(max(unit // 8, 1), WHITE, PANEL_LUMA), name, unit, unit * 131 // 10)
        return bytes(luma), bytes(cb), bytes(cr)

    def _paint_surround(self, luma: bytearray, cb: bytearray, cr: bytearray) -> None:
        """Black around the clock's cells, wide enough that no macroblock mixes them with the landscape."""
        layout, unit = self.layout, self._unit
        width, height = min(unit * (COLUMNS + 2), layout.width) & ~1, unit * (ROWS + 2) & ~1
        self._fill(luma, layout.luma_stride, (0, 0, width, height), BLACK)
        for plane in (cb, cr):
            self._fill(plane, layout.chroma_stride, (0, 0, width // 2, height // 2), NEUTRAL)

    def _paint_code(self, luma: Plane, milliseconds: int) -> None:
        unit, stride = self._unit, self.layout.luma_stride
        cells = (bytes((BLACK,)) * unit, bytes((WHITE,)) * unit)
        at = unit * stride + unit
        for bits in clock_rows(milliseconds):
            line = b"".join([cells[bit] for bit in bits])
            for _ in range(unit):
                luma[at : at + len(line)] = line
                at += stride

    def _paint_ball(self, planes: tuple[Plane, Plane, Plane], wall: float) -> None:
        unit, radius = self._unit, self._ball.radius
        left, right = 2 * radius, self.layout.width - 2 * radius
        if right <= left:
            return
        turn = (1 - math.cos(2 * math.pi * (wall % BALL_PERIOD_S) / BALL_PERIOD_S)) / 2
        height = abs(math.sin(math.pi * (wall % BOUNCE_PERIOD_S) / BOUNCE_PERIOD_S))
        x = left + int((right - left) * turn)
        y = int(unit * 9) - radius - int(height * unit)
        self._ball.paint(planes, self.layout, x, y)

    def _paint_aim(self, luma: Plane, pan: float, tilt: float, zoom: float) -> None:
        """A square beside the clock's cells: to the right and up as the camera turns, larger as it zooms in."""
        unit, layout = self._unit, self.layout
        side = max(2, round(unit * (0.4 + 0.6 * zoom)))
        left, right = unit * (COLUMNS + 3), layout.width - 2 * unit
        top, bottom = unit, unit * 6
        if right - left < 2 * unit:
            return  # an upright picture has no room beside the clock
        x = round(left + (right - left) * (pan + 1) / 2) - side // 2
        y = round(bottom - (bottom - top) * (tilt + 1) / 2) - side // 2
        line = bytes((AIM_LUMA,)) * side
        at = y * layout.luma_stride + x
        for _ in range(side):
            luma[at : at + side] = line
            at += layout.luma_stride

    def _paint_second(self, luma: Plane, part: float) -> None:
        """A bar that fills once a second: the eye sees on it whether the pictures come evenly."""
        unit, layout = self._unit, self.layout
        left = unit * 17
        length = layout.width - unit - left
        if length < unit:
            return
        done = int(length * part)
        line = bytes((190,)) * done + bytes((PANEL_LUMA + 24,)) * (length - done)
        at = (unit * 146 // 10) * layout.luma_stride + left
        for _ in range(unit * 8 // 10):
            luma[at : at + length] = line
            at += layout.luma_stride

    def _text(self, luma: Plane, font: Font, text: str, x: int, y: int) -> None:
        layout = self.layout
        room = min(layout.width - x, font.width(text))
        if room <= 0 or y + font.height > layout.height:
            return
        at = y * layout.luma_stride + x
        for row in font.rows(text):
            line = row[:room]
            for _ in range(font.scale):
                luma[at : at + room] = line
                at += layout.luma_stride

    def _fill(self, plane: bytearray, stride: int, box: tuple[int, int, int, int], value: int) -> None:
        left, top, width, height = box
        line = bytes((value,)) * width
        for y in range(top, top + height):
            plane[y * stride + left : y * stride + left + width] = line

    def _sky_luma(self, y: int) -> int:
        return SKY_TOP + (SKY_HORIZON - SKY_TOP) * y // max(self._panel_top, 1)

    def _crest(self, highest: float, lowest: float, waves: tuple[int, ...]) -> list[float]:
        """The outline of hills: whole numbers of waves around the picture, so that its ends meet."""
        middle, half = (highest + lowest) / 2, (lowest - highest) / 2
        total = sum(1 / wave**0.5 for wave in waves)
        step = 2 * math.pi / self.layout.width
        return [
            middle + half / total * sum(math.sin(step * wave * x + wave * wave) / wave**0.5 for wave in waves)
            for x in range(self.layout.width)
        ]
