#!/usr/bin/env python3
"""The least that granian can do for LL-HLS viewers: playlists and parts of made-up cameras, as its documentation says.

`bench/hls.py` measures this beside the gateway with the same viewers, so that its figures can be compared between machines.
The answers have the sizes and header fields of the gateway's; there are no cameras, no credentials and no viewers' counts.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP2Settings
from granian.log import LogLevels
from granian.server.embed import Server

PART_S = 0.2
PARTS_PER_SEGMENT, PARTS_LISTED, PARTS_KEPT = 10, 30, 100
SEGMENTS = 6
CORS = [("access-control-allow-origin", "*"), ("access-control-expose-headers", "content-length, etag, retry-after")]
PLAYLIST_FIELDS = [
    *CORS, ("content-type", "application/vnd.apple.mpegurl"), ("cache-control", "no-cache"), ("vary", "accept-encoding"),
    ("content-encoding", "gzip"),
]  # fmt: skip
PART_FIELDS = [("content-type", "video/mp4"), *CORS, ("cache-control", "max-age=60, immutable"), ("etag", '"0123abcd-s1.p1"')]
DIRECTIVES = re.compile(r"_HLS_msn=(\d+)&_HLS_part=(\d+)")


class Camera:
    """One stream; `step` makes a part."""

    def __init__(self, part_bytes: int) -> None:
        self.next = (int(time.time()), 0)
        self.playlist = b""
        self.parts: dict[str, bytes] = {}
        self.pulse = asyncio.Event()
        self._part_bytes = part_bytes
        self._lines: deque[str] = deque(maxlen=PARTS_LISTED)

    def step(self) -> None:
        """The next part is there."""
        msn, index = self.next
        name = f"s{msn}.p{index}.m4s"
        self.parts[name] = bytes(self._part_bytes)
        if len(self.parts) > PARTS_KEPT:
            del self.parts[next(iter(self.parts))]
        self.next = (msn, index + 1) if index + 1 < PARTS_PER_SEGMENT else (msn + 1, 0)
        self._lines.append(f'#EXT-X-PART:DURATION=0.200000,URI="0123abcd/{name}"')
        begin = datetime.fromtimestamp(time.time() - PART_S * len(self._lines), UTC).isoformat(timespec="milliseconds")
        segments = [line for number in range(SEGMENTS) for line in ("#EXTINF:2.000000,", f"0123abcd/s{msn - number}.m4s")]
        hint = 'URI="0123abcd/s{}.p{}.m4s"'.format(*self.next)
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", *segments, f"#EXT-X-PROGRAM-DATE-TIME:{begin}", *self._lines]
        self.playlist = gzip.compress("\n".join([*lines, f"#EXT-X-PRELOAD-HINT:TYPE=PART,{hint}", ""]).encode(), 4)
        pulse, self.pulse = self.pulse, asyncio.Event()
        pulse.set()


def application(cameras: dict[str, Camera]) -> Any:
    """The RSGI callable."""

    async def answer(scope: Any, protocol: Any) -> None:
        _, _, camera_id, file = scope.path.split("/", 3)
        camera = cameras[camera_id]
        if file != "live.m3u8":
            part = camera.parts.get(file.rpartition("/")[2])
            protocol.response_bytes(404 if part is None else 200, PART_FIELDS, part or b"")
            return
        found = DIRECTIVES.search(scope.query_string)
        if found:
            wanted = (int(found[1]), int(found[2]))
            while camera.next <= wanted:
                await camera.pulse.wait()
        protocol.response_bytes(200, PLAYLIST_FIELDS, camera.playlist)

    return answer


async def serve(port: int, certificate: Path, cameras: int, part_bytes: int) -> None:
    """Serve until killed."""
    streams = {f"cam-{number:02}": Camera(part_bytes) for number in range(cameras)}
    http2 = HTTP2Settings(max_concurrent_streams=1000)
    server = Server(
        application(streams), address="127.0.0.1", port=port, interface=Interfaces.RSGI, http=HTTPModes.auto, backlog=1024,
        backpressure=16384, http2_settings=http2, log_level=LogLevels.critical, ssl_cert=certificate, ssl_key=certificate,
    )  # fmt: skip
    serving = asyncio.create_task(server.serve())
    began, steps = time.monotonic(), 0
    while not serving.done():
        for stream in streams.values():
            steps += 1
            await asyncio.sleep(began + steps * PART_S / cameras - time.monotonic())
            stream.step()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
