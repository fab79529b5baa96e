"""One libx264 or libx265 encoder that takes painted pictures and gives samples in the canonical form.

Wraps PyAV for the simulator. An encoder belongs to the one thread that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from av.codec import CodecContext
from av.codec.context import Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from gateway.media import annexb, h264, h265
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig
from gateway.simulator.picture import Layout, Plane

ENCODERS = {Codec.H264: "libx264", Codec.H265: "libx265"}
COLOUR_BT709 = 1
LIMITED_RANGE = 1
"""AVCOL_*_BT709 and AVCOL_RANGE_MPEG: without them browsers guess, and guess differently by picture size."""


@dataclass(frozen=True, slots=True)
class VideoSpec:
    """What a profile's video encoder is set to, as in a camera's own settings page."""

    codec: Codec = Codec.H264
    width: int = 1280
    height: int = 720
    fps: int = 25
    gop: int = 50
    """Frames from keyframe to keyframe."""
    bitrate: int = 2_000_000
    """Bits per second."""
    bframes: int = 0

    def __post_init__(self) -> None:
        if self.codec not in ENCODERS:
            raise ValueError(f"a virtual camera cannot encode {self.codec.value}")
        if self.width % 2 or self.height % 2 or not (64 <= self.width <= 4096 and 64 <= self.height <= 4096):
            raise ValueError(f"picture size {self.width}x{self.height}: both even and from 64 to 4096")
        if not (1 <= self.fps <= 60 and 1 <= self.gop <= 1000 and 0 <= self.bframes <= 4):
            raise ValueError("fps must be 1 to 60, GOP 1 to 1000 frames, B-frames 0 to 4")
        if not 16_000 <= self.bitrate <= 50_000_000:
            raise ValueError("bit rate must be 16 kbit/s to 50 Mbit/s")

    @property
    def caption(self) -> str:
        """What the picture says about itself."""
        return f"{self.fps} FPS {self.codec.value}"


@dataclass(frozen=True, slots=True)
class Sample:
    """An encoded picture; times in ticks of 90 kHz."""

    pts: int
    dts: int
    keyframe: bool
    payload: bytes


class VideoEncoder:
    """Paint into `planes`, then call `encode`. `config` is known from the start."""

    def __init__(self, spec: VideoSpec) -> None:
        self.spec = spec
        self._context = _open(spec)
        self._frame = VideoFrame(spec.width, spec.height, "yuv420p")
        luma, cb, cr = (memoryview(plane) for plane in self._frame.planes)
        self.planes: tuple[Plane, Plane, Plane] = (luma, cb, cr)
        self.layout = Layout(spec.width, spec.height, self._frame.planes[0].line_size, self._frame.planes[1].line_size)
        self.config = _config(spec.codec, self._context.extradata or b"")
        self._in_sample = h264.in_sample if spec.codec is Codec.H264 else h265.in_sample

    def encode(self, pts: int, *, keyframe: bool) -> list[Sample]:
        """Encode what `planes` hold now; `keyframe` asks for one. With B-frames samples come late and reordered."""
        frame = self._frame
        frame.pts = pts
        frame.time_base = self._context.time_base
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return [self._sample(packet) for packet in self._context.encode(frame)]

    def flush(self) -> list[Sample]:
        """The samples still inside. The encoder takes no more pictures afterwards."""
        return [self._sample(packet) for packet in self._context.encode(None)]

    def _sample(self, packet: Packet[VideoStream]) -> Sample:
        pts = packet.pts or 0
        dts = pts if packet.dts is None else packet.dts
        units = [unit for unit in annexb.split(bytes(packet)) if self._in_sample(unit)]
        return Sample(pts, dts, packet.is_keyframe, annexb.join(units))


def _open(spec: VideoSpec) -> VideoCodecContext:
    context = CodecContext.create(ENCODERS[spec.codec], "w")
    if not isinstance(context, VideoCodecContext):
        raise TypeError(f"{ENCODERS[spec.codec]} is not a video encoder")
    context.width, context.height, context.pix_fmt = spec.width, spec.height, "yuv420p"
    context.framerate = Fraction(spec.fps)
    context.time_base = Fraction(1, VIDEO_CLOCK_HZ)
    context.bit_rate = spec.bitrate
    context.gop_size = spec.gop
    context.max_b_frames = spec.bframes
    context.thread_count = 1
    context.flags |= Flags.global_header
    context.color_range = LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = COLOUR_BT709
    rate = {"maxrate": str(spec.bitrate), "bufsize": str(spec.bitrate)}
    context.options = rate | (_x264_options(spec) if spec.codec is Codec.H264 else _x265_options(spec))
    context.open()
    return context


def _x264_options(spec: VideoSpec) -> dict[str, str]:
    options = {"preset": "ultrafast", "forced-idr": "1"}
    if spec.bframes:
        return options | {"b_strategy": "0", "x264-params": "rc-lookahead=0:sync-lookahead=0:mbtree=0:scenecut=0"}
    return options | {"tune": "zerolatency", "x264-params": "scenecut=0"}


def _x265_options(spec: VideoSpec) -> dict[str, str]:
    common = "log-level=none:pools=none:frame-threads=1:scenecut=0:open-gop=0:repeat-headers=0:info=0"
    options = {"preset": "ultrafast", "forced-idr": "1"}
    if spec.bframes:
        extra = f":bframes={spec.bframes}:b-adapt=0:rc-lookahead={spec.bframes + 1}"
        return options | {"x265-params": common + extra}
    return options | {"tune": "zerolatency", "x265-params": common}


def _config(codec: Codec, extradata: bytes) -> TrackConfig:
    units = annexb.split(extradata)
    if codec is Codec.H264:
        return h264.track_config(
            [unit for unit in units if h264.nal_type(unit) == h264.NAL_SPS],
            [unit for unit in units if h264.nal_type(unit) == h264.NAL_PPS],
        )
    return h265.track_config(
        [unit for unit in units if h265.nal_type(unit) == h265.NAL_VPS],
        [unit for unit in units if h265.nal_type(unit) == h265.NAL_SPS],
        [unit for unit in units if h265.nal_type(unit) == h265.NAL_PPS],
    )
