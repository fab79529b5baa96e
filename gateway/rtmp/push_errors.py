"""Why a stream does not reach the server it is pushed to. Each leaf is one thing a user can be told and one way to go on.

    GatewayError
    └── PushError
        ├── TargetUnreachable   no connection (refused, no route, unknown name)                back-off
        ├── TargetTimedOut      connected, but the server did not answer in time               back-off
        ├── TargetClosed        the server, or the network, ended the connection               back-off
        ├── TargetTooSlow       the server takes nothing any more                              back-off
        ├── TargetProtocol      what answers does not speak RTMP (or TLS) as it should         back-off
        ├── TargetRefused       the server said no: key, application, login                    slow
        ├── TargetUntrusted     its certificate is not one to trust                            slow
        └── TargetCodec         the server does not take this codec                            slow

Messages never hold keys or passwords, and no control character a server sent.
"""

from __future__ import annotations

from typing import ClassVar

from gateway.errors import GatewayError, Retry


class PushError(GatewayError):
    """A push ended. `code` is stable for machines, `str(error)` is for people."""

    code: ClassVar[str] = "failed"
    retry: ClassVar[Retry] = Retry.BACKOFF


class TargetUnreachable(PushError):
    code = "unreachable"


class TargetTimedOut(PushError):
    code = "timeout"


class TargetClosed(PushError):
    code = "closed"


class TargetTooSlow(PushError):
    code = "too-slow"


class TargetProtocol(PushError):
    code = "protocol"


class TargetRefused(PushError):
    code = "refused"
    retry = Retry.SLOW


class TargetUntrusted(PushError):
    code = "certificate"
    retry = Retry.SLOW


class TargetCodec(PushError):
    code = "codec"
    retry = Retry.SLOW
