"""A camera's login, and when it may be tried again after the camera refused it.

Cameras lock an account after about five wrong passwords in half an hour (Dahua, Imou; Tapo after fewer). So all
readers of a camera, main and sub, of this viewer and of the next, over ONVIF and over RTSP, share one `Account`. Called by
reader threads.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.config.model import Camera, Credential
from gateway.errors import WrongCredentials

LOGIN_FIRST_S = 600.0
LOGIN_LARGEST_S = 1800.0
LOGIN_JITTER = 0.1
"""Upwards only: the wait must never be shorter than what keeps the account open."""
TRIAL_S = 60.0
"""One reader tries for all. If it comes to no verdict in this time (the camera is away), another one may."""


@dataclass(slots=True)
class _Refusal:
    words: str
    wait_s: float
    until: float
    """Monotonic seconds."""
    tried_by: str | None = None
    """The stream whose reader tries again."""


class Account:
    """What is known of one camera's login. `stream` is the id of the stream whose reader asks."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        rand: Callable[[], float] = random.random,
    ) -> None:
        self._monotonic = monotonic
        self._rand = rand
        self._lock = threading.Lock()
        self._refusal: _Refusal | None = None
        self._accepted: set[str] = set()
        self._excused_until = -LOGIN_LARGEST_S

    def admit(self, stream: str) -> None:
        """Return if `stream` may log in now; else raise WrongCredentials again without asking the camera.

        A stream whose own last login was accepted is not held back: the refusal was about another one's rights.
        """
        with self._lock:
            refusal = self._refusal
            if refusal is None or stream in self._accepted or refusal.tried_by == stream:
                return
            now = self._monotonic()
            if now < refusal.until:
                raise WrongCredentials(refusal.words)
            refusal.tried_by = stream
            refusal.until = now + TRIAL_S

    def refused(self, stream: str, error: WrongCredentials) -> None:
        """The camera said no to `stream`."""
        with self._lock:
            self._accepted.discard(stream)
            now, last = self._monotonic(), self._refusal
            if last is not None and last.tried_by != stream and now < last.until:
                return  # two asked at once, and both heard the same
            wait_s = min(last.wait_s * 2, LOGIN_LARGEST_S) if last is not None else LOGIN_FIRST_S
            self._refusal = _Refusal(str(error), wait_s, until=now + wait_s * (1 + LOGIN_JITTER * self._rand()))

    def accepted(self, stream: str) -> None:
        """A session of `stream` is open."""
        with self._lock:
            self._accepted.add(stream)
            self._refusal = None

    def moved(self) -> None:
        """The camera is elsewhere: a refusal may have come from another device, and one more try is in order.

        Not more often than after the shortest wait, whatever moves to and fro.
        """
        with self._lock:
            now = self._monotonic()
            if self._refusal is not None and now >= self._excused_until:
                self._refusal.until = now
                self._excused_until = now + LOGIN_FIRST_S

    def wait_s(self) -> float:
        """Seconds until the next login may be tried; 0 if it may now."""
        with self._lock:
            return max(0.0, self._refusal.until - self._monotonic()) if self._refusal is not None else 0.0


def with_login(camera: Camera, credentials: tuple[Credential, ...]) -> Camera:
    """`camera` with the login that ONVIF and RTSP both use: its own, else the first of the discovery `credentials`.

    Only the first, because every wrong password brings a camera closer to locking its account; and only for a camera given
    by `address`, because an RTSP URL without a login is meant so.
    """
    if camera.address is None or camera.username is not None or not credentials:
        return camera
    return replace(camera, username=credentials[0].username, password=credentials[0].password)
