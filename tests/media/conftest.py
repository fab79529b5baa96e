"""Media made on the spot: encoded pictures as a camera sends them."""

from fractions import Fraction

import av
import pytest


def make_clip(
    codec: str, count: int, *, size: tuple[int, int] = (320, 180), gop: int = 10, bframes: int = 0, sps_id: int = 0
) -> list[av.Packet]:
    """`count` encoded pictures in Annex B form, parameter sets in-band at each keyframe."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height = size
    context.pix_fmt = "yuv420p"
    context.time_base = Fraction(1, 25)
    context.framerate = Fraction(25)
    context.gop_size = gop
    context.max_b_frames = bframes
    context.options = {"preset": "ultrafast", **({} if bframes else {"tune": "zerolatency"})}
    if codec == "libx264":
        context.options |= {"x264-params": f"scenecut=0:b-adapt=0:bframes={bframes}:sps-id={sps_id}"}
    else:
        context.options |= {"x265-params": "log-level=none:scenecut=0:pools=1:repeat-headers=1:bframes=0"}
    packets = []
    for number in range(count):
        picture = av.VideoFrame(size[0], size[1], "yuv420p")
        for index, plane in enumerate(picture.planes):
            plane.update(bytes([(40 + number * 7 * (index + 1)) % 200]) * plane.buffer_size)
        picture.pts = number
        packets += context.encode(picture)
    return [*packets, *context.encode(None)]


@pytest.fixture(scope="session")
def h264_packets():
    """Twenty pictures, keyframes at 0 and 10."""
    return make_clip("libx264", 20)


@pytest.fixture(scope="session")
def h265_packets():
    """Twenty pictures, keyframes at 0 and 10."""
    return make_clip("libx265", 20)


@pytest.fixture(scope="session")
def encode():
    """The encoder itself, for clips of other shapes."""
    return make_clip
