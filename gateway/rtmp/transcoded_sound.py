"""G.711 and MP3 of a publisher as AAC, which everything plays.

It runs on the event loop: a message of G.711 costs some 0.1 ms, 0.4 % of a core while a publisher sends (measured, see
design/rtmp-clients.md), less than a thread would cost in hand-overs. So that nobody can make more of it than that, a
publisher may have twice its real time transcoded, and messages have a size.

Event loop only; the clock is passed in.
"""

from __future__ import annotations

import importlib
import logging
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import TYPE_CHECKING

from gateway.media import mp3
from gateway.media.track import TrackConfig

if TYPE_CHECKING:
    from gateway.media.transcode import AacTranscoder

log = logging.getLogger(__name__)

CODECS = {"alaw": "G.711 A-law", "ulaw": "G.711 µ-law", ".mp3": "MP3"}
"""By FourCC (of `flv_parse` for G.711, which has none)."""
_DECODERS = {"alaw": "pcm_alaw", "ulaw": "pcm_mulaw", ".mp3": "mp3"}
_G711_RATE_HZ = 8000
MAX_MESSAGE_BYTES = 16_000
"""Two seconds of G.711. Encoders send 20 to 100 ms."""
BURST_S, SPEED = 5.0, 2.0
"""Sound that may be transcoded at once, and how much faster than time it may go on."""
_REOPEN_S = 1.0


_loading: Future[ModuleType] | None = None


def _libavcodec() -> ModuleType | None:
    """The module of the transcoder; None while it is being loaded.

    It brings libavcodec, 30 MB: only for those who need it, and on a thread of its own, for on the event loop all viewers would
    wait half a second for it.
    """
    global _loading  # a module is loaded once in a process
    if _loading is None and "av" not in sys.modules:
        pool = ThreadPoolExecutor(1, "libavcodec")
        _loading = pool.submit(importlib.import_module, "gateway.media.transcode")
        pool.shutdown(wait=False)
    if _loading is not None and not _loading.done():
        return None
    return importlib.import_module("gateway.media.transcode")


class TranscodedSound:
    """Decoder and encoder of one publisher's sound."""

    def __init__(self) -> None:
        self._form: tuple[str, int, int] | None = None
        self._transcoder: AacTranscoder | None = None
        self._opened_at: float | None = None
        self._allowance_s = BURST_S
        self._allowed_at: float | None = None

    def duration_s(self, fourcc: str, data: bytes, channels: int) -> float:
        """Length of the sound in a message; 0.0 where it holds none that can be decoded."""
        if len(data) > MAX_MESSAGE_BYTES:
            return 0.0
        if fourcc != ".mp3":
            return len(data) / channels / _G711_RATE_HZ
        found = mp3.header(data)
        return found.samples / found.rate if found is not None else 0.0

    def take(
        self, fourcc: str, data: bytes, channels: int, at_s: float, now: float
    ) -> tuple[TrackConfig | None, list[tuple[bytes, float]]]:
        """AAC frames that are complete with this message, with their times, and their configuration.

        `at_s` is the time of its first sample on the stream's timeline, `now` monotonic seconds.
        """
        duration_s = self.duration_s(fourcc, data, channels)
        if not duration_s or not self._allows(duration_s, now):
            return None, []
        rate = _G711_RATE_HZ
        found = mp3.header(data) if fourcc == ".mp3" else None
        if found is not None:
            rate, channels = found.rate, found.channels
        transcoder = self._open((fourcc, rate, channels), now)
        if transcoder is None:
            return None, []
        try:
            return transcoder.config, list(transcoder.feed(data, at_s))
        except ValueError:
            return transcoder.config, []  # a damaged message costs its own sound

    def _open(self, form: tuple[str, int, int], now: float) -> AacTranscoder | None:
        if form != self._form:
            # an encoder costs a millisecond: forms that alternate must not buy one with every message
            if self._opened_at is not None and now - self._opened_at < _REOPEN_S:
                return None
            transcode = _libavcodec()
            if transcode is None:
                return None
            self._form, self._opened_at = form, now
            try:
                self._transcoder = transcode.AacTranscoder.of(_DECODERS[form[0]], form[1], form[2])
            except ValueError as error:
                log.warning("%s at %d Hz cannot be transcoded: %s", CODECS[form[0]], form[1], error)
                self._transcoder = None
        return self._transcoder

    def _allows(self, duration_s: float, now: float) -> bool:
        if self._allowed_at is not None:
            self._allowance_s = min(BURST_S, self._allowance_s + (now - self._allowed_at) * SPEED)
        self._allowed_at = now
        if duration_s > self._allowance_s:
            return False
        self._allowance_s -= duration_s
        return True
