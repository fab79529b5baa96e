"""Real H.264 and AAC as canonical frames, encoded once per test run with PyAV; and a listener that real players can ask."""

from __future__ import annotations

import asyncio
import functools
import io
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import numpy as np

from gateway.http.messages import Request, Response
from gateway.media.frame import Frame
from gateway.media.track import Codec, TrackConfig, Tracks

FPS, WIDTH, HEIGHT, RATE = 25, 320, 176, 48_000
WALL = 1_700_000_000.0
PARAMETER_SETS = {7, 8, 9}


@functools.cache
def encoded(seconds: int, gop: int = 50) -> tuple[Tracks, tuple[Frame, ...]]:
    """H.264 with B-frames (so dts begins below zero) and stereo AAC, frames ordered by time."""
    out = io.BytesIO()
    packets: list[tuple[str, av.Packet]] = []
    with av.open(out, "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "bf": "2", "sc_threshold": "0"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.codec_context.gop_size = gop
        audio = container.add_stream("aac", rate=RATE)
        for index in range(seconds * FPS):
            image = np.full((HEIGHT, WIDTH, 3), index * 3 % 256, dtype=np.uint8)
            image[:, : index % WIDTH] = 255 - index % 256
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            packets += [("video", packet) for packet in video.encode(picture)]
        for index in range(seconds * RATE // 1024):
            tone = np.sin(np.arange(index * 1024, (index + 1) * 1024) * (440 * 2 * np.pi / RATE)).astype(np.float32) / 4
            sound = av.AudioFrame.from_ndarray(np.stack([tone, tone]), format="fltp", layout="stereo")
            sound.sample_rate, sound.pts = RATE, index * 1024
            packets += [("audio", packet) for packet in audio.encode(sound)]
        packets += [("video", packet) for packet in video.encode()] + [("audio", packet) for packet in audio.encode()]
        for _, packet in packets:
            container.mux(packet)
    with av.open(io.BytesIO(out.getvalue())) as container:
        avcc = bytes(container.streams.video[0].codec_context.extradata or b"")
        asc = bytes(container.streams.audio[0].codec_context.extradata or b"")
        frames = []
        picture_config = TrackConfig(Codec.H264, 90_000, avcc, f"avc1.{avcc[1:4].hex()}", width=WIDTH, height=HEIGHT)
        sound_config = TrackConfig(Codec.AAC, RATE, asc, "mp4a.40.2", sample_rate=RATE, channels=2)
        for packet in container.demux():
            if packet.dts is None:
                continue
            config = picture_config if packet.stream.type == "video" else sound_config
            scale = packet.time_base * config.clock_rate
            dts, pts, duration = (int(value * scale) for value in (packet.dts, packet.pts, packet.duration))
            payload = bytes(packet)
            if config is picture_config:
                payload = _without_parameter_sets(payload)
            frames.append(Frame(config, dts, pts, duration, packet.is_keyframe, False, WALL + dts / config.clock_rate, payload))
    frames.sort(key=lambda frame: frame.seconds)
    first = next(index for index, frame in enumerate(frames) if frame.config is picture_config)
    return (picture_config, sound_config), tuple(frames[first:])


def _without_parameter_sets(payload: bytes) -> bytes:
    kept, at = [], 0
    while at < len(payload):
        (size,) = struct.unpack_from(">I", payload, at)
        if payload[at + 4] & 31 not in PARAMETER_SETS:
            kept.append(payload[at : at + 4 + size])
        at += 4 + size
    return b"".join(kept)


@contextmanager
def listening(handle: Callable[[Request], Awaitable[Response]], loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """A throw-away HTTP server in threads that passes requests to a handler on `loop`. Yields its base URL."""

    class Bridge(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, path, query, headers, self.client_address[0], "http")
            response = asyncio.run_coroutine_threadsafe(_call(handle, request), loop).result(30)
            assert isinstance(response.body, bytes)
            self.send_response(response.status)
            for name, value in response.headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(response.body)))
            self.end_headers()
            self.wfile.write(response.body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Bridge)
    server.daemon_threads = True
    # Players drop their connections when they have seen enough; that is no news.
    server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


async def _call(handle: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    return await handle(request)
