"""Where a camera's streams are: written in the configuration, or asked for over ONVIF. Called by reader threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from gateway.errors import NoSecondStream, SourceError
from gateway.sources import diagnosis


class Location(Protocol):
    """Answers where to pull from, and forgets a wrong answer."""

    def url(self) -> str:
        """RTSP URL without credentials. Blocks for seconds at most; raises SourceError."""

    def endpoint(self) -> tuple[str, int]:
        """Host and port that `url()` asks. Never blocks."""

    def forget(self) -> None:
        """The URL did not work: ask the camera again next time."""

    @property
    def exists(self) -> bool:
        """False once the camera has said that it has no such stream. Any thread."""


class Fixed:
    """A URL from the configuration."""

    exists = True

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


class Shared:
    """One answer for a camera's main and sub stream: the two readers ask, the camera is asked once."""

    def __init__(self, resolve: Callable[[], tuple[str, str | None]], address: tuple[str, int]) -> None:
        self._resolve = resolve
        self._address = address
        self._lock = threading.Lock()
        self._round = 0
        self._answer: tuple[str, str | None] | None = None
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

    def get(self, index: int) -> str:
        """URL of profile 0 or 1. Raises SourceError."""
        round_before = self._round
        with self._lock:
            if self._answer is None:
                if self._failure is not None and self._round != round_before:
                    # Whoever waited for the other reader's question gets its answer: wrong passwords count.
                    raise type(self._failure)(str(self._failure))
                self._answer = self._ask()
            url = self._answer[index]
        if url is None:
            raise NoSecondStream("the camera offers no second stream")
        return url

    def endpoint(self) -> tuple[str, int]:
        """The camera's ONVIF address."""
        return self._address

    def forget(self) -> None:
        """Ask again next time."""
        with self._lock:
            self._answer = None

    def _ask(self) -> tuple[str, str | None]:
        self._failure = None
        try:
            answer = self._resolve()
        except SourceError as error:
            self._failure = error
            raise
        finally:
            self._round += 1
        self._has_sub = answer[1] is not None
        return answer


class _Profile:
    def __init__(self, shared: Shared, index: int) -> None:
        self._shared = shared
        self._index = index

    def url(self) -> str:
        return self._shared.get(self._index)

    def endpoint(self) -> tuple[str, int]:
        return self._shared.endpoint()

    def forget(self) -> None:
        self._shared.forget()

    @property
    def exists(self) -> bool:
        return self._index == 0 or self._shared.has_sub
