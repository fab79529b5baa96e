"""A page of the wall without a browser: subscribes to one stream over the WebSocket, acknowledges, and counts what comes."""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import Any

from gateway.live.messages import KEYFRAME, RecordKind, read_records

TEXT, BINARY, CLOSE = 1, 2, 8


@dataclass
class WallViewer:
    """Watches from construction to `stop`. Construct it on a thread of the host it is to be on."""

    host: str
    port: int
    login: str
    stream: str
    pictures: int = 0
    keyframes: int = 0
    dropped: int = 0
    """Pictures that the gateway said it left out."""
    texts: list[dict[str, Any]] = field(default_factory=list)
    left: str = ""

    def __post_init__(self) -> None:
        self._socket = socket.create_connection((self.host, self.port), 10)
        self._socket.settimeout(15)
        self._input = self._socket.makefile("rb")
        login = base64.b64encode(self.login.encode()).decode()
        self._socket.sendall(
            f"GET /live HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nOrigin: http://{self.host}:{self.port}\r\n"
            f"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nAuthorization: Basic {login}\r\n\r\n".encode()
        )
        status = self._input.readline()
        assert b" 101 " in status, status
        while self._input.readline().strip():
            pass
        self._say(type="subscribe", stream=self.stream, format="frames", focused=True)
        self._received = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the page."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._input.close()
        self._socket.close()

    def _say(self, **message: Any) -> None:
        data = json.dumps(message).encode()
        self._socket.sendall(struct.pack(">BBH", 0x80 | TEXT, 0x80 | 126, len(data)) + bytes(4) + data)

    def _watch(self) -> None:
        try:
            while True:
                first, length = self._input.read(2)
                if length == 126:
                    length = struct.unpack(">H", self._input.read(2))[0]
                elif length == 127:
                    length = struct.unpack(">Q", self._input.read(8))[0]
                self._take(first & 0x0F, self._input.read(length))
        except (OSError, ValueError) as error:
            self.left = str(error) or "closed"

    def _take(self, kind: int, data: bytes) -> None:
        if kind == BINARY:
            self._received += len(data)
            self._say(type="ack", bytes=self._received)
            records = [record for record in read_records(data) if record.kind is RecordKind.FRAME]
            self.pictures += len(records)
            self.keyframes += sum(bool(record.flags & KEYFRAME) for record in records)
        elif kind == TEXT:
            message = json.loads(data)
            self.texts.append(message)
            if message["type"] == "dropped":
                self.dropped += message["frames"]
            elif message["type"] == "ping":
                self._say(type="pong", t=message["now"])
        elif kind == CLOSE:
            raise ValueError("closed by the gateway")
