"""A low-latency HLS player of our own: blocking playlist reloads, every part fetched once, and what came of it decoded."""

from __future__ import annotations

import io
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field

import av

_PART = re.compile(r'#EXT-X-PART:.*?URI="(?P<uri>(?P<run>\w+)/s(?P<msn>\d+)\.p(?P<part>\d+)\.m4s)')
_MAP = re.compile(r'#EXT-X-MAP:URI="(?P<uri>[^"]+)"')
ASK_S = 15.0


@dataclass(slots=True)
class LlHlsViewer:
    """Plays `stream` between `start` and `stop`. `get(path)` gives status and body, with a login."""

    get: Callable[[str], tuple[int, bytes]]
    stream: str
    refused: list[str] = field(default_factory=list)
    """Answers other than 200."""
    media: list[bytes] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """Folders of the media, in order."""
    last: tuple[int, int] = (-1, -1)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> LlHlsViewer:
        """Begin to play."""
        self._thread = threading.Thread(target=self._play, name=f"viewer of {self.stream}")
        self._thread.start()
        return self

    def stop(self) -> None:
        """End, with the part that is on its way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(2 * ASK_S)
            assert not self._thread.is_alive()

    def pictures(self) -> list[float]:
        """Presentation times of all pictures, in seconds and in order."""
        with av.open(io.BytesIO(b"".join(self.media))) as container:
            packets = container.demux(container.streams.video[0])
            return sorted(float(packet.pts * packet.time_base) for packet in packets if packet.pts is not None)

    def _ask(self, name: str) -> bytes | None:
        try:
            status, body = self.get(f"/hls/{self.stream}/{name}")
        except (OSError, urllib.error.URLError) as error:
            self.refused.append(f"{name}: {error}")
            return None
        if status != 200:
            self.refused.append(f"{name}: {status} {body[:80]!r}")
            return None
        return body

    def _play(self) -> None:
        while not self._stop.is_set():
            msn, part = self.last
            text = self._ask("live.m3u8" if msn < 0 else f"live.m3u8?_HLS_msn={msn}&_HLS_part={part + 1}")
            if text is None:
                time.sleep(0.2)
                continue
            self._take(text.decode())

    def _take(self, playlist: str) -> None:
        maps, found = "", []
        for line in playlist.splitlines():
            if match := _MAP.match(line):
                maps = match["uri"]
            elif match := _PART.match(line):
                found.append(((int(match["msn"]), int(match["part"])), match["uri"], match["run"], maps))
        for number, uri, run, init in found[-1:] if self.last[0] < 0 else found:
            if number <= self.last:
                continue
            if not self.runs or self.runs[-1] != run:
                self.runs.append(run)
                self.media.append(self._ask(init) or b"")
            self.media.append(self._ask(uri) or b"")
            self.last = number
