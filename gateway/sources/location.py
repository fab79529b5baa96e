"""Where a camera's streams are: written in the configuration, or asked for over ONVIF. Called by reader threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.config.model import Camera
from gateway.errors import NoSecondStream, SourceError
from gateway.sources import diagnosis

FRESH_S = 10.0
"""After this an answer is only used once the device there has been looked at again: DHCP may have given its address away,
and the next thing sent to it is the camera's password."""


def _nothing() -> None:
    pass


def _no_keyframe(index: int) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Streams:
    """What a camera answered: RTSP URLs without credentials."""

    main: str
    sub: str | None
    confirm: Callable[[], None] = _nothing
    """Blocks for a moment; raises OtherDevice if another device is at that address now."""
    hurry: Callable[[int], None] = _no_keyframe
    """Asks the camera for a keyframe of profile 0 or 1. Returns at once; may do nothing."""

    def url(self, index: int) -> str | None:
        """Of profile 0 or 1."""
        return self.sub if index else self.main


class CameraFinder(Protocol):
    """Finds the streams of cameras that are given by `address`."""

    def streams(self, camera: Camera) -> Streams:
        """Ask the camera, with its login. Blocks for seconds; raises SourceError. Reader threads."""

    def address(self, camera: Camera) -> tuple[str, int]:
        """Host and port that would be asked. Never blocks; any thread."""

    def missed(self, camera: Camera) -> None:
        """What it answered was of no use: if there is another place where the camera may be, that one is next."""


class Location(Protocol):
    """Answers where to pull from, and forgets a wrong answer."""

    def url(self) -> str:
        """RTSP URL without credentials. Blocks for seconds at most; raises SourceError."""

    def endpoint(self) -> tuple[str, int]:
        """Host and port that `url()` asks. Never blocks."""

    @property
    def moves(self) -> int:
        """Grows when the camera is seen at another address: a wait for its return at the old one is in vain. Any thread."""

    def forget(self) -> None:
        """The URL did not work: ask the camera again next time. Never blocks."""

    def hurry(self) -> None:
        """A keyframe would be welcome. Returns at once."""

    @property
    def exists(self) -> bool:
        """False once the camera has said that it has no such stream. Any thread."""


class Fixed:
    """A URL from the configuration."""

    exists = True
    moves = 0

    def __init__(self, url: str) -> None:
        self._url = url

    def url(self) -> str:
        """The URL as configured."""
        return self._url

    def endpoint(self) -> tuple[str, int]:
        """Host and port of the URL."""
        return diagnosis.endpoint(self._url)

    def forget(self) -> None:
        """What is written in the configuration stays true."""

    def hurry(self) -> None:
        """RTSP has no word for it."""


class Shared:
    """One answer for a camera's main and sub stream: the two readers ask, the camera is asked once."""

    def __init__(self, camera: Camera, finder: CameraFinder, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._camera = camera
        self._finder = finder
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._round = 0
        self.moves = 0
        self._wanted = 0
        """Grows whenever an answer is given up; without the lock, because the event loop must not wait for a question."""
        self._answer: Streams | None = None
        self._answered = 0
        """What `_wanted` was when the answer was asked for."""
        self._confirmed_at = 0.0
        self._failure: SourceError | None = None
        self._has_sub = True

    def main(self) -> Location:
        """The main profile's location."""
        return _Profile(self, 0)

    def sub(self) -> Location:
        """The sub profile's location."""
        return _Profile(self, 1)

    @property
    def has_sub(self) -> bool:
        """What the camera said last; True before it was asked."""
        return self._has_sub

    @property
    def turn(self) -> int:
        """Which answer is the present one; grows whenever one is given up."""
        return self._wanted

    def get(self, index: int) -> str:
        """URL of profile 0 or 1. Raises SourceError."""
        round_before = self._round
        with self._lock:
            if self._answer is not None and self._answered == self._wanted:
                self._confirm(self._answer)
            else:
                if self._failure is not None and self._round != round_before:
                    # Whoever waited for the other reader's question gets its answer: wrong passwords count.
                    raise type(self._failure)(str(self._failure))
                self._answer = self._ask()
            url = self._answer.url(index)
        if url is None:
            raise NoSecondStream("the camera offers no second stream")
        return url

    def endpoint(self) -> tuple[str, int]:
        """The camera's ONVIF address."""
        return self._finder.address(self._camera)

    def missed(self, turn: int) -> None:
        """The answer of that `turn` was of no use: ask again, maybe elsewhere. Both readers may say so; it counts once."""
        if turn == self._wanted:
            self._wanted += 1
            self._finder.missed(self._camera)

    def moved(self) -> None:
        """The camera is elsewhere: ask again at once. Never blocks; event loop."""
        self._wanted += 1
        self.moves += 1

    def hurry(self, index: int) -> None:
        """Ask for a keyframe of profile 0 or 1."""
        answer = self._answer
        if answer is not None:
            answer.hurry(index)

    def _confirm(self, answer: Streams) -> None:
        if self._monotonic() - self._confirmed_at < FRESH_S:
            return
        try:
            answer.confirm()
        except SourceError:
            self._answer = None
            raise
        self._confirmed_at = self._monotonic()

    def _ask(self) -> Streams:
        self._failure = None
        self._answered = self._wanted
        try:
            answer = self._finder.streams(self._camera)
        except SourceError as error:
            self._failure = error
            self._answer = None
            raise
        finally:
            self._round += 1
        self._confirmed_at = self._monotonic()
        self._has_sub = answer.sub is not None
        return answer


class _Profile:
    def __init__(self, shared: Shared, index: int) -> None:
        self._shared = shared
        self._index = index
        self._turn = shared.turn

    def url(self) -> str:
        self._turn = self._shared.turn
        return self._shared.get(self._index)

    def endpoint(self) -> tuple[str, int]:
        return self._shared.endpoint()

    def forget(self) -> None:
        self._shared.missed(self._turn)

    def hurry(self) -> None:
        self._shared.hurry(self._index)

    @property
    def moves(self) -> int:
        return self._shared.moves

    @property
    def exists(self) -> bool:
        return self._index == 0 or self._shared.has_sub
