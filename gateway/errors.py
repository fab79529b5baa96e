"""The one exception tree. Each leaf is one thing a user can be told and one way to go on.

    GatewayError
    ├── ConfigError            config.yaml is wrong; all findings at once            exit code 2
    ├── ListenError            a port could not be opened                             exit code 1
    ├── AdoptError             a camera that was found is not taken over; nothing was written
    ├── InstanceError          another gateway already uses this data directory       exit code 1
    └── SourceError            a camera gives no picture; the leaf decides the retry
        ├── Unreachable        no TCP connection (refused, no route, unknown name)    back-off
        ├── TimedOut           connected, but the camera did not answer in time       back-off
        ├── WrongCredentials   the camera refused user name or password               slow
        ├── OtherDevice        another device is where the camera was                 back-off
        ├── CertificateRefused the camera's certificate is not the one it should be   slow
        ├── NoSuchPath         the camera answered, the stream path does not exist    back-off
        │   └── NoSecondStream the camera has one profile only                        slow
        ├── SessionLimit       the camera serves as many clients as it can            back-off
        ├── ProtocolError      what answered does not speak RTSP as we know it        back-off
        ├── NoVideo            the session has no video track                         back-off
        ├── CodecUnsupported   the video codec cannot be served                       slow
        ├── Stalled            the video stopped (audio may still flow)               back-off
        └── Ended              the camera closed the session                          back-off

Messages never hold credentials: whoever raises redacts first (`gateway.redact`). PyAV's exceptions are translated at
one place, `gateway.sources.libav_session`.
"""

from __future__ import annotations

import enum
from typing import ClassVar


class Retry(enum.Enum):
    """How a source goes on after an error."""

    BACKOFF = "backoff"
    """0.5 s doubling to 30 s, with jitter."""
    SLOW = "slow"
    """Minutes apart: cameras lock accounts after a few wrong passwords (Dahua, Tapo); a codec does not change by itself."""


class GatewayError(Exception):
    """Base of everything the gateway raises on purpose."""


class ConfigError(GatewayError):
    """The configuration is wrong. `findings` are complete lines, `config.yaml:LINE: key: what to do`."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


class ListenError(GatewayError):
    """A listener could not be opened; the message names address, port and who could hold it."""


class InstanceError(GatewayError):
    """A second gateway was started on the same data directory."""


class AdoptError(GatewayError):
    """A camera was not adopted. `code` is stable for machines; a camera's own refusal has that of its `SourceError`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class SourceError(GatewayError):
    """A camera gives no picture. `code` is stable for machines, `str(error)` is for people."""

    code: ClassVar[str] = "failed"
    retry: ClassVar[Retry] = Retry.BACKOFF


class Unreachable(SourceError):
    code = "unreachable"


class TimedOut(SourceError):
    code = "timeout"


class WrongCredentials(SourceError):
    code = "wrong-credentials"
    retry = Retry.SLOW


class OtherDevice(SourceError):
    code = "other-device"


class CertificateRefused(SourceError):
    code = "certificate"
    retry = Retry.SLOW


class NoSuchPath(SourceError):
    code = "no-such-path"


class NoSecondStream(NoSuchPath):
    retry = Retry.SLOW


class SessionLimit(SourceError):
    code = "session-limit"


class ProtocolError(SourceError):
    code = "protocol"


class NoVideo(SourceError):
    code = "no-video"


class CodecUnsupported(SourceError):
    code = "codec-unsupported"
    retry = Retry.SLOW


class Stalled(SourceError):
    code = "stalled"


class Ended(SourceError):
    code = "ended"
