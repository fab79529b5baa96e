"""The stream that the RTMP benchmarks and load tests publish: encoded once, sent in a loop, every frame marked with its time.

The last eight bytes of each frame become CLOCK_MONOTONIC in nanoseconds at its sending. Nobody decodes the pictures, so a
player on the same machine can read the delay of any frame through any server, whatever that does to timestamps.

    python rtmp_media.py PORT APP NAME CLIP        publishes CLIP until it is killed
"""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.rtmp import amf0, chunk
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.handshake import ClientHandshake

FPS, GOP_S, SAMPLE_RATE = 30, 2, 48_000
AUDIO_BITS = 128_000
CHUNK_BYTES = 65_536
_TAG_HEADER, _TAG_TRAILER = 11, 4
_MARK_BYTES = 8


def encode(path: Path, *, width: int = 1280, height: int = 720, bits: int = 2_000_000, seconds: int = 4) -> Path:
    """Write an FLV clip of H.264 and AAC with `bits` per second in all. The noise makes the encoder use them."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as out:
        rate = bits - AUDIO_BITS
        options = {
            "preset": "veryfast", "g": str(FPS * GOP_S), "sc_threshold": "0", "bf": "0",
            "maxrate": str(rate), "bufsize": str(rate // 2),
        }  # fmt: skip
        video = out.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt, video.bit_rate = width, height, "yuv420p", rate
        audio = out.add_stream("aac", rate=SAMPLE_RATE)
        audio.bit_rate, audio.codec_context.layout = AUDIO_BITS, "stereo"
        random = np.random.default_rng(1)
        for number in range(seconds * FPS):
            picture = np.full((height * 3 // 2, width), 128, np.uint8)
            picture[:height] = random.integers(80, 120, (height, width), np.uint8)
            picture[:height, (number * 8) % width :][:, :64] = 235
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for start in range(0, seconds * SAMPLE_RATE, 1024):
            noise = random.normal(0, 0.1, (2, 1024)).astype(np.float32)
            sound = av.AudioFrame.from_ndarray(noise, format="fltp", layout="stereo")
            sound.sample_rate, sound.pts, sound.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    path.write_bytes(file.getvalue())
    return path


def tags(clip: bytes) -> list[tuple[int, int, bytes]]:
    """Type, milliseconds and body of every audio and video tag, by time."""
    found, at = [], 9 + _TAG_TRAILER
    while at + _TAG_HEADER < len(clip):
        size = int.from_bytes(clip[at + 1 : at + 4], "big")
        when = int.from_bytes(clip[at + 4 : at + 7], "big") | clip[at + 7] << 24
        if clip[at] in (chunk.AUDIO, chunk.VIDEO):
            found.append((clip[at], when, clip[at + _TAG_HEADER : at + _TAG_HEADER + size]))
        at += _TAG_HEADER + size + _TAG_TRAILER
    return sorted(found, key=lambda tag: tag[1])


class Publisher:
    """A blocking publisher. `send` gives one message to the server."""

    def __init__(self, port: int, app: str, name: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        handshake = ClientHandshake(digest=False)
        self.socket.sendall(handshake.start())
        while not handshake.done:
            answer = handshake.feed(self._received())
            self.socket.sendall(answer)
        self._command("connect", 1.0, {"app": app, "type": "nonprivate", "tcUrl": f"rtmp://127.0.0.1:{port}/{app}"})
        self.socket.sendall(encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, CHUNK_BYTES.to_bytes(4, "big")))
        self._command("createStream", 2.0, None)
        self._command("publish", 3.0, None, name, "live", stream_id=1)
        seen = b""
        while b"NetStream.Publish.Start" not in seen:
            seen += self._received()
        threading.Thread(target=self._drain, daemon=True).start()

    def send(self, kind: int, milliseconds: int, body: bytes) -> None:
        """Send an audio or video message."""
        csid = 6 if kind == chunk.VIDEO else 4
        self.socket.sendall(encode_message(csid, kind, 1, milliseconds, body, chunk_bytes=CHUNK_BYTES))

    def _command(self, *values: amf0.Value, stream_id: int = 0) -> None:
        self.socket.sendall(encode_message(3, chunk.COMMAND, stream_id, 0, amf0.encode(*values), chunk_bytes=128))

    def _received(self) -> bytes:
        data = self.socket.recv(65_536)
        if not data:
            raise ConnectionError("the server closed the publisher's connection")
        return data

    def _drain(self) -> None:
        while self.socket.recv(65_536):
            pass


def run(port: int, app: str, name: str, clip: bytes) -> None:
    """Publish in real time for ever."""
    messages = tags(clip)
    headers = [tag for tag in messages if tag[2][1] == 0]
    frames = [tag for tag in messages if tag[2][1] == 1]
    length = GOP_S * 1000 * round((frames[-1][1] + 1000 / FPS) / (GOP_S * 1000))
    frames = [tag for tag in frames if tag[1] < length]
    publisher = Publisher(port, app, name)
    for kind, _, body in headers:
        publisher.send(kind, 0, body)
    began, turn = time.monotonic(), 0
    while True:
        for kind, when, body in frames:
            milliseconds = turn * length + when
            wait = began + milliseconds / 1000 - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            mark = time.clock_gettime_ns(time.CLOCK_MONOTONIC).to_bytes(_MARK_BYTES, "big")
            publisher.send(kind, milliseconds, body[:-_MARK_BYTES] + mark)
        turn += 1


if __name__ == "__main__":
    run(int(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4]).read_bytes())
