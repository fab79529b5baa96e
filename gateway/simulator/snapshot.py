"""A camera's own JPEG, painted on request. Blocking (some 5 ms); the camera calls it on a worker thread."""

from __future__ import annotations

import time
from fractions import Fraction

from av.codec import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

from gateway.simulator.picture import Layout, Painter

QUALITY = 4
"""libavcodec's qscale: 2 is best; 4 is half the size and looks the same here."""
LAMBDA_PER_QSCALE = 118
"""FF_QP2LAMBDA."""


class Photographer:
    """Takes pictures of one size. Calls may come from several threads: each has a picture of its own."""

    def __init__(self, width: int, height: int, name: str, hue: float) -> None:
        self._size = (width, height)
        self._name, self._hue = name, hue
        self._painter: Painter | None = None

    def take(self) -> bytes:
        """A JPEG of this moment."""
        width, height = self._size
        frame = VideoFrame(width, height, "yuv420p")
        luma, cb, cr = frame.planes
        if self._painter is None:
            layout = Layout(width, height, luma.line_size, cb.line_size)
            self._painter = Painter(layout, self._name, "SNAPSHOT", self._hue)
        self._painter.paint((memoryview(luma), memoryview(cb), memoryview(cr)), time.time(), 0)
        # JPEG has the full range and the older colour matrix.
        jpeg = frame.reformat(
            format="yuvj420p",
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU601,
            src_color_range=ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
        )
        return _encode(jpeg)


def _encode(frame: VideoFrame) -> bytes:
    encoder = CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("mjpeg is not a video encoder")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.options = {"flags": "+qscale", "global_quality": str(QUALITY * LAMBDA_PER_QSCALE)}
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])
