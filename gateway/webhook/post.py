"""One HTTP POST with one deadline over all of it: name, TCP, TLS, request and answer. Event loop only.

Written out, because of the answer only the status and Retry-After are wanted, and a client library would cost the box 5 MB.
A redirect is an answer like any other: what is signed for one server is not handed to another.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_HEAD_BYTES = 16 * 1024
_ENTITY = "application/json"


class PostFailed(Exception):
    """No answer. The message is one sentence, without the address's secret parts."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    retry_after_s: float | None = None


async def post(
    url: str, body: bytes, headers: Iterable[tuple[str, str]], *, timeout_s: float, tls: ssl.SSLContext | None
) -> Answer:
    """POST `body` as JSON. `tls` is for https. Raises PostFailed."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _post(url, body, headers, tls)
    except TimeoutError:
        raise PostFailed(f"no answer within {timeout_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise PostFailed(f"the server's certificate is not accepted: {error.verify_message}") from None
    except ssl.SSLError as error:
        raise PostFailed(f"TLS failed: {error.reason or 'unknown'}") from None
    except (asyncio.LimitOverrunError, asyncio.IncompleteReadError, ValueError):
        raise PostFailed("what answered does not speak HTTP") from None
    except OSError as error:
        # socket.gaierror has numbers of its own; asyncio puts the address into its texts
        known = error.errno is not None and not isinstance(error, socket.gaierror)
        text = os.strerror(error.errno or 0) if known else (error.strerror or "the connection was closed")
        raise PostFailed(text.lower()) from None


async def _post(url: str, body: bytes, headers: Iterable[tuple[str, str]], tls: ssl.SSLContext | None) -> Answer:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if secure else 80)
    reader, writer = await asyncio.open_connection(
        host, port, ssl=tls if secure else None, server_hostname=host if secure else None, limit=MAX_HEAD_BYTES
    )
    try:
        writer.write(_request(parts.path, parts.query, parts.netloc.rpartition("@")[2], body, headers))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        while (answer := _read(head)).status // 100 == 1:
            head = await reader.readuntil(b"\r\n\r\n")
        return answer
    finally:
        writer.transport.abort()  # the rest of the answer is nothing to us, and a goodbye could wait for ever


def _request(path: str, query: str, host: str, body: bytes, headers: Iterable[tuple[str, str]]) -> bytes:
    target = (path or "/") + (f"?{query}" if query else "")
    fields = (
        ("host", host),
        ("user-agent", "CameraGateway"),
        ("content-type", _ENTITY),
        ("content-length", str(len(body))),
        ("connection", "close"),
        *headers,
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"POST {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


def _read(head: bytes) -> Answer:
    first, *fields = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/") or not (code.isascii() and code.isdigit()):
        raise ValueError("no status line")
    for field in fields:
        name, _, value = field.partition(":")
        if name.strip().lower() == "retry-after" and value.strip().isascii() and value.strip().isdigit():
            return Answer(int(code), float(value.strip()[:9]))
    return Answer(int(code))
