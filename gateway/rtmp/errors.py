"""What can be wrong with an RTMP peer. Each leaf is one layer of the protocol; every message is for the log.

    GatewayError
    └── RtmpError
        ├── HandshakeError   what connected is not an RTMP client
        ├── ChunkError       the chunk stream is broken or passes a limit
        ├── AmfError         a command or data message cannot be decoded
        └── SessionError     well-formed messages in an impossible order

All of them end that one connection and nothing else.
"""

from __future__ import annotations

from gateway.errors import GatewayError


class RtmpError(GatewayError):
    """An RTMP peer broke the protocol."""


class HandshakeError(RtmpError):
    """The first bytes are not RTMP's; the message says what they look like and what to do."""


class ChunkError(RtmpError):
    """The chunk stream is broken, or larger than we allow."""


class AmfError(RtmpError):
    """AMF0 that cannot be decoded or encoded."""


class SessionError(RtmpError):
    """A command that makes no sense at this point of the session."""
