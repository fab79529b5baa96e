#!/usr/bin/env python3
"""Throws broken RTMP at everything that reads a stranger's bytes: handshake, chunks, AMF, commands, FLV bodies, ingest.

    python tests/rtmp/fuzz_session.py --bytes 10000000          mutations of what real clients say; prints what it did
    python tests/rtmp/fuzz_session.py --atheris -max_total_time=600 CORPUS    guided by coverage; needs `pip install atheris`

`one_input` raises only for a defect. A short share of the mutations runs in the test suite (`test_rtmp_fuzz.py`).
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from gateway.media.timestamps import Timeline
from gateway.rtmp import amf0, chunk
from gateway.rtmp.chunk import encode_message
from gateway.rtmp.ingest import Ingest
from gateway.rtmp.session import Failed, Media, Play, Publish, ServerSession

HELD_BYTES = 17 * 1024 * 1024
"""More than an accepted publisher may make us hold."""
AVCC = bytes.fromhex("0142c00affe1000b6742c00a8c8d40a0c8f08846a001000468ce3c80")
_AUDIO_CONFIG = b"\xaf\x00\x11\x90"
HELLO = b"\x03" + bytes(1536) + bytes(1536)


def corpus() -> list[bytes]:
    """What clients say after the handshake, from nearly nothing to whole sessions."""

    def call(*values: amf0.Value, kind: int = chunk.COMMAND) -> bytes:
        body = amf0.encode(*values)
        return encode_message(3, kind, 1, 0, b"\0" + body if kind == chunk.COMMAND_AMF3 else body, chunk_bytes=128)

    info = {"app": "live", "tcUrl": "rtmp://h/live", "objectEncoding": 3.0, "fourCcList": ["hvc1", "*"]}
    connect = call("connect", 1.0, info)
    maps = call("connect", 1.0, {"app": "live", "videoFourCcInfoMap": {"*": 7.0}, "capsEx": 15.0})
    size = encode_message(2, chunk.SET_CHUNK_SIZE, 0, 0, (4096).to_bytes(4, "big"))
    pings = encode_message(2, chunk.USER_CONTROL, 0, 0, b"\0\x06\0\0\0\1") + encode_message(2, 5, 0, 0, b"\0\0\1\0")
    play = call("createStream", 2.0, None) + call("play", 0.0, None, "a?token=t", -2000.0)
    player = connect + play + call("pause", 0.0, None, True, 0.0) + call("receiveVideo", 0.0, None, False)
    publish = connect + call("releaseStream", 2.0, None, "a") + call("publish", 5.0, None, "a?key=k", "live")
    header = encode_message(6, chunk.VIDEO, 1, 0, b"\x17\0\0\0\0" + AVCC, chunk_bytes=128)
    key = encode_message(6, chunk.VIDEO, 1, 0x1000000, b"\x17\1\0\0\0\0\0\0\5\x65\x88\x84\0\1" + bytes(300), chunk_bytes=128)
    inter = encode_message(6, chunk.VIDEO, 1, 40, b"\x27\1\xff\xff\xd8\0\0\0\2\x41\x9a", chunk_bytes=128)
    sound = encode_message(4, chunk.AUDIO, 1, 0, _AUDIO_CONFIG) + encode_message(4, chunk.AUDIO, 1, 21, b"\xaf\1!\x10\4")
    h265 = encode_message(6, chunk.VIDEO, 1, 0, b"\x90hvc1\1" + bytes(40), chunk_bytes=128)
    modex = encode_message(6, chunk.VIDEO, 1, 0, b"\x97\2\0\0\1\x00\x96\0hvc1\0\0\0\4abcd", chunk_bytes=128)
    many = encode_message(4, chunk.AUDIO, 1, 0, b"\x95\x11mp4a\0\0\0\2\x11\x90\1\0\0\2\x11\x90", chunk_bytes=128)
    tag = b"\x08\0\0\4\0\0\x20\0\0\0\0" + _AUDIO_CONFIG + b"\0\0\0\x0f"
    aggregate = encode_message(6, chunk.AGGREGATE, 1, 9, tag + tag, chunk_bytes=128)
    data = call("@setDataFrame", "onMetaData", amf0.EcmaArray({"width": 640.0, "list": [1.0, None]}), kind=chunk.DATA)
    abort = bytes((6,)) + b"\0\0\0\0\1\0\x09\1\0\0\0" + bytes(128) + encode_message(2, chunk.ABORT, 0, 0, b"\0\0\0\6")
    publisher = publish + data + header + sound + key + inter + aggregate + call("FCUnpublish", 6.0, None, "a")
    amf3 = call("connect", 1.0, {"app": "live"}, kind=chunk.COMMAND_AMF3)
    amf3 += call("createStream", 2.0, None, kind=chunk.COMMAND_AMF3)
    return [
        connect, maps, player, size + pings + connect + play, publisher, publish + h265 + modex + many,
        connect + abort + play, amf3 + play, publish + header + key + inter * 5, pings,
    ]  # fmt: skip


def one_input(data: bytes) -> Counter[str]:
    """Feed one conversation to a session and what follows it; return what came of it. Raises only if something is wrong.

    The first byte decides whether the handshake is fuzzed too and how the rest is cut into packets.
    """
    came: Counter[str] = Counter()
    if not data:
        return came
    mode, data = data[0], data[1:]
    session = ServerSession(random_bytes=random.Random(mode).randbytes)
    pieces = [data] if mode & 1 else [data[at : at + 1 + (mode >> 2) * 7] for at in range(0, len(data), 1 + (mode >> 2) * 7)]
    if not mode & 2:
        pieces.insert(0, HELLO)
    ingest: Ingest | None = None
    now = 100.0
    for piece in pieces:
        _, events = session.receive(piece)
        for event in events:
            came[type(event).__name__] += 1
            if isinstance(event, Play):
                session.accept_play()
            elif isinstance(event, Publish):
                session.accept_publish()
                ingest = Ingest(Timeline())
            elif isinstance(event, Media) and ingest is not None:
                now += 0.3
                last: dict[object, int] = {}
                for frame in ingest.take(event.type_id, event.timestamp, event.payload, now, now):
                    came["frame"] += 1
                    assert frame.dts >= 0 and frame.pts >= frame.dts
                    assert frame.dts > last.get(frame.kind, -1)
                    last[frame.kind] = frame.dts
            elif isinstance(event, Failed):
                came[type(event.error).__name__] += 1
                str(event.error).encode()
                return came
        reader = session._link.reader
        assert reader._held <= HELD_BYTES and len(reader._buffer) <= len(piece) + 64
    return came


class Mutator:
    """Cuts, repeats, splices and alters conversations, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._corpus = corpus()

    def next(self) -> bytes:
        """A mutated conversation, with its first byte (see `one_input`)."""
        pick = self._random
        data = bytearray(pick.choice(self._corpus))
        for _ in range(pick.choice((1, 1, 2, 4, 16))):
            at = pick.randrange(len(data) + 1)
            match pick.randrange(7):
                case 0:
                    data[at : at + 1] = pick.randbytes(1)
                case 1 if at < len(data):
                    data[at] ^= 1 << pick.randrange(8)
                case 2:
                    del data[at : at + pick.choice((1, 2, 3, 11, 100))]
                case 3:
                    data[at:at] = pick.randbytes(pick.choice((1, 2, 4, 12)))
                case 4:
                    other = pick.choice(self._corpus)
                    data[at:] = other[pick.randrange(len(other)) :]
                case 5:
                    end = at + pick.choice((1, 4, 12, 64, 400))
                    data[at:at] = bytes(data[at:end]) * pick.choice((1, 2, 20))
                case _:
                    data[at : at + 4] = pick.choice((b"\xff\xff\xff\xff", bytes(4), b"\x7f\xff\xff\xff", b"\0\xff\xff\xff"))
            if not data:
                data = bytearray(b"\0")
        # the handshake is fuzzed rarely: hardly anything gets past it
        return bytes((pick.randrange(256) & (0xFF if pick.random() < 0.05 else 0xFD),)) + bytes(data)


def mutations(total_bytes: int, seed: int) -> tuple[int, int, Counter[str]]:
    """Run mutated conversations of `total_bytes`: how many, their bytes, what came of them."""
    mutator, came, fed, runs = Mutator(seed), Counter[str](), 0, 0
    while fed < total_bytes:
        data = mutator.next()
        came += one_input(data)
        fed += len(data)
        runs += 1
    return runs, fed, came


def main() -> int:
    """The command line."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--bytes", type=int, default=1_000_000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--atheris", action="store_true", help="everything behind it goes to libFuzzer")
    o, rest = p.parse_known_args()
    if o.atheris:
        import atheris

        atheris.instrument_all()
        for number, data in enumerate(corpus()):
            for directory in [Path(name) for name in rest if not name.startswith("-")][:1]:
                (directory / f"seed-{number}").write_bytes(b"\0" + data)
        atheris.Setup([sys.argv[0], *rest], lambda data: one_input(data) and None)
        atheris.Fuzz()
        return 0
    began = time.monotonic()
    runs, fed, came = mutations(o.bytes, o.seed)
    print(f"{runs} conversations, {fed} bytes, {time.monotonic() - began:.0f} s, no defect")
    print(", ".join(f"{name} {count}" for name, count in came.most_common()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
