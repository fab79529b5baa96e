"""What a reader wants of a session with a camera, whoever speaks with the camera: our own client or libavformat.

All methods belong to the reader's thread, but for `interrupt`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.errors import CodecUnsupported, NoVideo
from gateway.media.joiner import Packet
from gateway.media.track import Codec

if TYPE_CHECKING:
    from gateway.media.transcode import AacTranscoder

CODECS = {"h264": Codec.H264, "hevc": Codec.H265}
"""Pictures that can be served, by libavcodec's names."""


@dataclass(frozen=True, slots=True)
class PullSettings:
    """How to pull. Times in seconds."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    transport: str = "tcp"
    """`tcp`, `udp`, or `auto`: TCP first, UDP where the camera does not offer TCP, and first where it has worked."""
    open_timeout_s: float = 5.0
    read_timeout_s: float = 5.0
    audio: bool = True
    client: str = "auto"
    """`own`, `libav`, or `auto`: our own, and libavformat where ours and the camera do not understand each other."""
    trust: CameraTrust = ANYBODY
    """Of rtsps:// cameras."""


@dataclass(frozen=True, slots=True)
class SoundPacket:
    """A packet of sound. `pts` and `duration` in ticks of the offer's `tick_s`; None and 0 if unknown."""

    pts: int | None
    data: bytes
    duration: int


@dataclass(frozen=True, slots=True)
class SoundOffer:
    """The sound of an open session. `codec` is libavcodec's canonical name."""

    codec: str
    channels: int
    extradata: bytes
    tick_s: float
    transcoder: Callable[[], AacTranscoder]
    """Makes a decoder with an AAC encoder behind it. Raises ValueError where it cannot be decoded."""


class Session(Protocol):
    """An open session; close it by leaving its context."""

    client: str
    """Who speaks with the camera: `own` or `libav`."""
    video_codec: str
    video_extradata: bytes
    """Parameter sets that were announced, in Annex B or as a configuration record; possibly none."""
    sound: SoundOffer | None
    sound_note: str
    """Why there is no sound although the camera has some."""

    def packets(self) -> Iterator[Packet | SoundPacket | None]:
        """What comes, until the camera ends the session; None now and then, so that time is looked at. Raises SourceError."""

    @property
    def dated(self) -> tuple[float, int] | None:
        """What the camera last said of its clock: Unix seconds, and the `pts` of a picture taken at that moment."""

    def interrupt(self) -> None:
        """Make whatever blocks return soon. Any thread."""

    def __enter__(self) -> Self: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None: ...


def no_video(host: str) -> NoVideo:
    """The session has sound at most."""
    return NoVideo(f"{host} offers no video at this address")


def codec_unsupported(host: str, codec: str) -> CodecUnsupported:
    """The picture cannot be served."""
    return CodecUnsupported(f"{host} sends {codec}, which cannot be served: set the camera's profile to H.264 or H.265")
