"""The clock in the picture must be read right or not at all: a wrong reading would be a wrong latency."""

from __future__ import annotations

from fractions import Fraction

from av.codec import CodecContext
from av.video.frame import VideoFrame
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.simulator.clock_code import MODULUS_MS, age_ms, cell_side, clock_rows, read_clock
from gateway.simulator.picture import Layout, Painter

NOW_MS = 1_790_000_123_456


def painted_plane(width: int, height: int, milliseconds: int) -> bytearray:
    side = cell_side(height)
    plane = bytearray(b"\x10" * (width * height))
    for row, bits in enumerate(clock_rows(milliseconds)):
        line = b"".join((b"\xeb" if bit else b"\x10") * side for bit in bits)
        for y in range(side * (row + 1), side * (row + 2)):
            plane[y * width + side : y * width + side + len(line)] = line
    return plane


def painted_frame(width: int, height: int, milliseconds: int) -> VideoFrame:
    frame = VideoFrame(width, height, "yuv420p")
    luma, cb, cr = frame.planes
    painter = Painter(Layout(width, height, luma.line_size, cb.line_size), "Test", "25 FPS")
    painter.paint((memoryview(luma), memoryview(cb), memoryview(cr)), milliseconds / 1000 + 1e-5, 7)
    return frame


def read(frame: VideoFrame) -> int | None:
    luma = frame.planes[0]
    return read_clock(memoryview(luma), frame.width, frame.height, luma.line_size)


def test_bits_are_those_of_the_design():
    rows = clock_rows(0x123456789A)
    assert [len(row) for row in rows] == [11, 11, 11, 11]
    code = int("".join(str(bit) for row in rows for bit in row), 2)
    assert code >> 4 == 0x123456789A
    assert code & 15 == sum((1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) % 16


@given(st.integers(min_value=1, max_value=MODULUS_MS - 1))
@settings(max_examples=50, deadline=None)
def test_every_time_is_read_back(milliseconds: int):
    assert read_clock(painted_plane(320, 180, milliseconds), 320, 180, 320) == milliseconds


def test_a_damaged_cell_is_noticed_by_the_checksum():
    plane = painted_plane(320, 180, 0x123456789A)
    side = cell_side(180)
    for y in range(side, 2 * side):
        for x in range(side, 2 * side):
            plane[y * 320 + x] = 0xFB - plane[y * 320 + x]
    assert read_clock(plane, 320, 180, 320) is None


def test_black_and_grey_pictures_have_no_clock():
    for luma in (0, 16, 125):
        assert read_clock(bytes((luma,)) * (320 * 180), 320, 180, 320) is None


@given(st.binary(max_size=4096), st.integers(0, 80), st.integers(0, 80), st.integers(0, 90))
@settings(max_examples=100, deadline=None)
def test_any_plane_is_read_without_error(plane: bytes, width: int, height: int, stride: int):
    result = read_clock(plane, width, height, stride)
    assert result is None or 0 <= result < MODULUS_MS


def test_survives_scaling_to_a_thumbnail_of_every_source_size():
    for width, height in ((1920, 1080), (1280, 720), (640, 480), (704, 576), (640, 360)):
        small = painted_frame(width, height, NOW_MS).reformat(width=round(180 * width / height / 2) * 2, height=180)
        assert read(small) == NOW_MS % MODULUS_MS, (width, height)


def test_survives_x264_at_a_starving_bit_rate():
    encoder = CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 640, 360, "yuv420p"
    encoder.time_base, encoder.framerate, encoder.bit_rate = Fraction(1, 25), Fraction(25), 60_000
    encoder.thread_count = 1
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "maxrate": "60000", "bufsize": "30000"}
    decoder = CodecContext.create("h264", "r")
    decoder.thread_type = "NONE"
    pictures: list[VideoFrame] = []
    for number in range(50):
        frame = painted_frame(640, 360, NOW_MS + 40 * number)
        frame.pts = number
        for packet in encoder.encode(frame):
            pictures += decoder.decode(packet)
    pictures += decoder.decode(None)
    assert len(pictures) == 50
    assert [read(picture) for picture in pictures] == [(NOW_MS + 40 * n) % MODULUS_MS for n in range(50)]
    assert [read(picture.reformat(width=320, height=180)) for picture in pictures[-5:]] == [
        (NOW_MS + 40 * n) % MODULUS_MS for n in range(45, 50)
    ]


def test_age_over_the_wrap_of_the_modulus():
    assert age_ms(NOW_MS % MODULUS_MS, NOW_MS + 48) == 48
    assert age_ms((NOW_MS + 5) % MODULUS_MS, NOW_MS) == -5
    assert age_ms(MODULUS_MS - 10, MODULUS_MS * 2 + 20) == 30
