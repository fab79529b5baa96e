"""Where a camera's streams are: written in the configuration, or asked for over ONVIF. Called by reader threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from gateway.errors import NoSuchPath
from gateway.sources import diagnosis


class Location(Protocol):
    """Answers where to pull from, and forgets a wrong answer."""

    def url(self) -> str:
        """RTSP URL without credentials. Blocks for seconds at most; raises SourceError."""

    def endpoint(self) -> tuple[str, int]:
        """Host and port at which the camera should answer when it is back. Never blocks."""

    def forget(self) -> None:
        """The URL did not work: ask the camera again next time."""


class Fixed:
    """A URL from the configuration."""

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
        self._answer: tuple[str, str | None] | None = None

    def main(self) -> Location:
        """The main profile's location."""
        return _Profile(self, 0)

    def sub(self) -> Location:
        """The sub profile's location."""
        return _Profile(self, 1)

    def get(self, index: int) -> str:
        """URL of profile 0 or 1. Raises SourceError."""
        with self._lock:
            if self._answer is None:
                self._answer = self._resolve()
            url = self._answer[index]
        if url is None:
            raise NoSuchPath("the camera offers no second stream")
        return url

    def endpoint(self) -> tuple[str, int]:
        """The camera's ONVIF address: it is up before RTSP is, and known before the first answer."""
        return self._address

    def forget(self) -> None:
        """Ask again next time."""
        with self._lock:
            self._answer = None


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
