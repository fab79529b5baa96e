"""A session through libavformat: for what our own client does not speak, and for installers who prefer it.

Nobody but the reader's thread ever touches the container: closing an input from another thread crashes the interpreter. The
only interrupt is the read timeout. libavformat's messages hold the URL with the password, so nothing of its text is passed
on. Loaded when it is first needed: PyAV costs 30 MB.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlsplit, urlunsplit

import av
from av.container import InputContainer

from gateway.errors import Ended, SourceError, Stalled, TimedOut, WrongCredentials
from gateway.media import canonical
from gateway.media.joiner import Packet
from gateway.media.transcode import AacTranscoder
from gateway.rtsp.client import refusal
from gateway.sources import diagnosis
from gateway.sources.session import CODECS, PullSettings, SoundOffer, SoundPacket, codec_unsupported, no_video

AUTH_LIMIT = 127
"""libavformat keeps `user:password`, percent-encoded, in 128 bytes and cuts off the rest without a word."""

_OPEN_OPTIONS = {
    # Codec, size and parameter sets come from the SDP or the first pictures; probing costs seconds and megabytes.
    "probesize": "32",
    "analyzeduration": "0",
    "allowed_media_types": "video+audio",
    "tls_verify": "0",  # cameras' certificates are self-signed; FFmpeg 9 verifies by default
    "user_agent": "CameraGateway",
}
_REACH = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL})


class LibavSession:
    """See `session.Session`."""

    client = "libav"
    sound_note = ""

    def __init__(self, url: str, settings: PullSettings, transport: str) -> None:
        """Open it; blocks for twice the open timeout at most. Raises SourceError."""
        self._url = url
        self._read_timeout_s = settings.read_timeout_s
        self._host = diagnosis.endpoint(url)[0]
        self._container = _open(url, settings, transport)
        streams = self._container.streams
        try:
            if not streams.video:
                raise no_video(self._host)
            self._video = streams.video[0]
            self.video_codec = _codec_name(self._video)
            if self.video_codec not in CODECS:
                raise codec_unsupported(self._host, self.video_codec)
        except SourceError:
            self._container.close()
            raise
        self.video_extradata = bytes(self._video.codec_context.extradata or b"")
        self.sound = _sound(streams.audio[0]) if streams.audio and settings.audio else None
        if self.sound is None and streams.audio and settings.audio:
            self.sound_note = "the audio codec is unknown and was dropped"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._container.close()

    @property
    def dated(self) -> None:
        """libavformat keeps the camera's reports to itself."""
        return None

    def interrupt(self) -> None:
        """See `Session.interrupt`: it ends with the read timeout."""

    def packets(self) -> Iterator[Packet | SoundPacket | None]:
        """See `Session.packets`."""
        streams = [self._video, *(self._container.streams.audio[:1] if self.sound is not None else [])]
        caught: Exception
        try:
            for packet in self._container.demux(*streams):
                if not packet.size:
                    continue
                data = bytes(packet)
                if packet.stream_index == self._video.index:
                    yield Packet(packet.pts, canonical.nal_units(data), bool(packet.is_keyframe))
                else:
                    yield SoundPacket(packet.pts, data, packet.duration or 0)
            return
        except (av.FFmpegError, OSError) as error:
            caught = error
        # translated outside of the handler: the exception of PyAV holds the password and must become nobody's context
        if isinstance(caught, av.error.ExitError):
            raise Stalled(f"{self._host} has sent nothing for {self._read_timeout_s:.0f} s")
        raise translate(caught, self._url, opening=False)


def _open(url: str, settings: PullSettings, transport: str) -> InputContainer:
    options = {**_OPEN_OPTIONS, "rtsp_transport": transport}
    if not settings.audio:
        options["allowed_media_types"] = "video"
    if transport == "udp":
        options["buffer_size"] = "1048576"  # a keyframe of a 4K camera arrives as one burst
    try:
        return av.open(
            with_credentials(url, settings.username, settings.password),
            options=options,
            timeout=(settings.open_timeout_s, settings.read_timeout_s),
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        caught = error
    raise translate(caught, url, opening=True)


def translate(error: Exception, url: str, *, opening: bool) -> SourceError:
    """The typed error for an exception of PyAV while `opening` the session or reading from it. `url` has no credentials."""
    host, port = diagnosis.endpoint(url)
    path = urlsplit(url).path
    if isinstance(error, av.error.HTTPUnauthorizedError):
        return refusal.of_status(401, host, path)
    if isinstance(error, av.error.HTTPForbiddenError):
        return refusal.of_status(403, host, path)
    if isinstance(error, av.error.HTTPNotFoundError):
        return refusal.of_status(404, host, path)
    if isinstance(error, av.error.HTTPTooManyRequestsError | av.error.HTTPServerError):
        return refusal.too_busy(host)
    if isinstance(error, av.error.HTTPClientError):
        return refusal.refused(host)
    if isinstance(error, OSError) and error.errno in _REACH:
        return diagnosis.unreachable(OSError(error.errno, ""), host, port)
    if opening:
        return diagnosis.probe(host, port)
    if isinstance(error, av.error.ExitError | av.error.TimeoutError):
        return TimedOut(f"{host} stopped sending")
    return Ended(f"{host} broke the connection")


def with_credentials(url: str, username: str | None, password: str | None) -> str:
    """`url` with user info, every character of it percent-encoded. Raises WrongCredentials when it does not fit."""
    if not username and not password:
        return url
    userinfo = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}"
    if len(userinfo) > AUTH_LIMIT:
        raise WrongCredentials(
            f"user name and password are too long together: {len(userinfo)} characters when encoded, at most {AUTH_LIMIT}"
        )
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, f"{userinfo}@{parts.netloc}", parts.path, parts.query, parts.fragment))


def _sound(stream: Any) -> SoundOffer | None:
    context = stream.codec_context
    if stream.time_base is None or context is None:
        return None

    def transcoder() -> AacTranscoder:
        try:
            return AacTranscoder(context)  # its own context: only it knows the width of a G.726 sample
        except av.FFmpegError as error:
            raise ValueError("cannot be decoded") from error

    name = context.codec.canonical_name
    return SoundOffer(name, context.channels or 0, bytes(context.extradata or b""), float(stream.time_base), transcoder)


def _codec_name(stream: Any) -> str:
    context = stream.codec_context
    return str(context.name) if context is not None else "an unknown codec"
