"""A JPEG of a keyframe. Called on worker threads, never on the event loop: decoding 1080p takes 2 ms, encoding 5 to 13 ms.

One of the few modules that know PyAV, loaded with the first picture: it costs 30 MB. Every call owns its decoder: codec
contexts belong to one thread.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, cast

from gateway.media.frame import Frame
from gateway.media.track import Codec

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame

_DECODERS = {Codec.H264: "h264", Codec.H265: "hevc", Codec.AV1: "libdav1d"}
QUALITY = 4
"""libavcodec's quantiser scale, 2 (best) to 31: at 4 text in the picture stays sharp at a quarter of the size of 2."""


class SnapshotError(Exception):
    """The keyframe could not be decoded."""


def decode(frame: Frame) -> VideoFrame:
    """The picture of a keyframe. Raises SnapshotError when it cannot be decoded."""
    import av

    decoder = cast("VideoCodecContext", av.CodecContext.create(_DECODERS[frame.config.codec], "r"))
    decoder.extradata = frame.config.extradata
    decoder.thread_type = "NONE"
    try:
        pictures = [*decoder.decode(av.Packet(frame.payload)), *decoder.decode(None)]
    except av.FFmpegError as error:
        raise SnapshotError("the last keyframe is damaged") from error
    if not pictures:
        raise SnapshotError("the last keyframe holds no picture")
    return pictures[0]


def jpeg(frame: Frame, width: int | None = None) -> bytes:
    """JPEG of a keyframe, scaled down to `width` pixels if it is wider. Raises SnapshotError."""
    import av

    picture = decode(frame)
    if width is not None and width < picture.width:
        size = (width & ~1, max(2, round(picture.height * width / picture.width) & ~1))
    else:
        size = (picture.width, picture.height)
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.flags |= av.codec.context.Flags.qscale
    encoder.qmin = encoder.qmax = QUALITY
    picture = picture.reformat(width=size[0], height=size[1], format="yuvj420p", dst_color_range="JPEG")
    picture.pts = 0
    try:
        return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])
    except av.FFmpegError as error:
        raise SnapshotError("the picture could not be encoded") from error
