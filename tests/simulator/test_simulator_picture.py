"""The test picture: any size, nothing outside its planes, motion from picture to picture, and cheap."""

from __future__ import annotations

import time

import pytest

from gateway.simulator.clock_code import MODULUS_MS, read_clock
from gateway.simulator.picture import Layout, Painter, camera_hue

WALL = 1_790_000_000.125


def planes_of(layout: Layout) -> tuple[bytearray, bytearray, bytearray]:
    chroma = layout.chroma_stride * layout.height // 2
    return bytearray(layout.luma_stride * layout.height), bytearray(chroma), bytearray(chroma)


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (704, 576), (360, 640), (64, 64), (1920, 1080), (96, 64)])
def test_planes_keep_their_length_at_every_size(size: tuple[int, int]):
    layout = Layout.tight(*size)
    planes = planes_of(layout)
    lengths = [len(plane) for plane in planes]
    painter = Painter(layout, "A camera with quite a long name in the yard", "25 FPS H264")
    for step in range(25):
        painter.paint(planes, WALL + step * 0.77, step)
        assert [len(plane) for plane in planes] == lengths


def test_padding_between_lines_stays_untouched_and_the_clock_is_read_with_the_stride():
    layout = Layout(320, 180, 352, 176)
    luma, cb, cr = planes_of(layout)
    Painter(layout, "Yard", "").paint((luma, cb, cr), WALL, 1)
    assert all(luma[y * 352 + 320 : (y + 1) * 352] == bytes(32) for y in range(180))
    assert read_clock(luma, 320, 180, 352) == int(WALL * 1000) % MODULUS_MS


def test_pictures_differ_and_the_same_moment_looks_the_same():
    layout = Layout.tight(320, 180)
    painter = Painter(layout, "Yard", "")
    first, second, again = planes_of(layout), planes_of(layout), planes_of(layout)
    painter.paint(first, WALL, 1)
    painter.paint(second, WALL + 0.04, 2)
    painter.paint(again, WALL, 1)
    assert first == again
    landscape = slice(320 * 90, 320 * 124)
    assert first[0][landscape] != second[0][landscape]


def test_luma_stays_in_limited_range():
    layout = Layout.tight(320, 180)
    planes = planes_of(layout)
    Painter(layout, "Yard", "").paint(planes, WALL, 1)
    assert min(planes[0]) >= 16
    assert max(planes[0]) <= 235


def test_cameras_have_colours_of_their_own():
    assert len({camera_hue(f"Camera {number}") for number in range(16)}) >= 15
    layout = Layout.tight(320, 180)
    one, two = planes_of(layout), planes_of(layout)
    Painter(layout, "Yard", "", hue=0.1).paint(one, WALL, 1)
    Painter(layout, "Yard", "", hue=0.6).paint(two, WALL, 1)
    assert one[1] != two[1]


def test_sizes_that_cannot_be_painted_are_refused():
    for size in ((30, 36), (32, 34), (33, 36), (640, 361)):
        with pytest.raises(ValueError, match="cannot paint"):
            Painter(Layout.tight(*size), "Yard", "")


def test_a_720p_picture_costs_less_than_a_millisecond_and_a_half():
    layout = Layout.tight(1280, 720)
    planes = planes_of(layout)
    painter = Painter(layout, "Yard", "25 FPS H264")
    costs = []
    for number in range(20):
        began = time.thread_time()
        painter.paint(planes, WALL + number / 25, number)
        costs.append(time.thread_time() - began)
    assert min(costs) < 0.0015
