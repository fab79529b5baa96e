"""What is remembered of the cameras given by `address`, over restarts and power cuts: who they are, and where they were last.

A small JSON file in the data directory. It holds no secrets, and losing it costs no picture: the cameras are then at their
configured addresses and are learned anew. Any thread.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gateway.config.model import Camera
from gateway.private_files import set_aside
from gateway.sources.identity import Identity, usable_serial

log = logging.getLogger(__name__)

FILE_NAME = "cameras.json"
VERSION = 1
MAX_FILE_BYTES = 4 * 1024 * 1024
MAX_SHARED = 256
"""Endpoint references known to be cloned; more are somebody's invention."""

_NOBODY = Identity()

Write = Callable[[Path, bytes], None]
"""Replaces a file in one step and puts it on disk. Raises OSError."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """One camera. `configured` is the address in the configuration that all this was learned under."""

    configured: str
    identity: Identity = _NOBODY
    found: str = ""
    """Where it is instead; empty while it is where the configuration says."""
    manufacturer: str = ""
    model: str = ""
    moved_at: float = 0.0
    """Unix seconds."""


@dataclass(slots=True)
class _Content:
    cameras: dict[str, Remembered] = field(default_factory=dict)
    shared: tuple[str, ...] = ()


class AddressBook:
    """All that is remembered. Without a `path` only as long as the process lives."""

    def __init__(self, path: Path | None = None, write: Write | None = None, wall: Callable[[], float] = time.time) -> None:
        """Read the file; a damaged one is named in the log and begun anew."""
        self._path = path
        self._write = write
        self._wall = wall
        self._lock = threading.Lock()
        self._saving = threading.Lock()
        self._content = _read(path) if path is not None else _Content()
        self._dirty = False

    def get(self, camera: Camera) -> Remembered | None:
        """What is known of a camera; None after its address in the configuration was changed."""
        with self._lock:
            known = self._content.cameras.get(camera.id)
        return known if known is not None and known.configured == camera.address else None

    @property
    def shared(self) -> frozenset[str]:
        """Endpoint references and serial numbers that several devices have."""
        with self._lock:
            serials: dict[str, set[str]] = {}
            for known in self._content.cameras.values():
                if usable_serial(known.identity.serial):
                    serials.setdefault(known.identity.serial, set()).add(known.configured)
            # the channels of one recorder have one address and rightly one serial number
            doubled = (serial for serial, places in serials.items() if len(places) > 1)
            return frozenset((*self._content.shared, *doubled))

    def learn(self, camera: Camera, identity: Identity, manufacturer: str = "", model: str = "") -> None:
        """Remember who a camera is."""
        with self._lock:
            known = self._content.cameras.get(camera.id)
            if known is None or known.configured != camera.address:
                known = Remembered(camera.address or "")
            self._put(
                camera.id,
                replace(
                    known,
                    identity=identity,
                    manufacturer=manufacturer or known.manufacturer,
                    model=model or known.model,
                ),
            )

    def moved(self, camera: Camera, address: str) -> None:
        """Remember where it is now; its configured address means that it is back."""
        with self._lock:
            known = self._content.cameras.get(camera.id)
            if known is not None and known.configured == camera.address:
                found = "" if address == camera.address else address
                self._put(camera.id, replace(known, found=found, moved_at=self._wall() if found else 0.0))

    def forget(self, camera_id: str) -> None:
        """Whatever is at its address from now on is the camera."""
        with self._lock:
            self._dirty |= self._content.cameras.pop(camera_id, None) is not None

    def retain(self, camera_ids: Collection[str]) -> None:
        """Forget all cameras but these."""
        with self._lock:
            for camera_id in [known for known in self._content.cameras if known not in camera_ids]:
                del self._content.cameras[camera_id]
                self._dirty = True

    def distrust(self, endpoints: Iterable[str]) -> None:
        """Several devices were seen with these endpoint references: never again take them for a proof."""
        with self._lock:
            merged = tuple(dict.fromkeys((*self._content.shared, *sorted(endpoints))))[:MAX_SHARED]
            self._dirty |= merged != self._content.shared
            self._content.shared = merged

    @property
    def dirty(self) -> bool:
        """Whether `save` has something to do."""
        return self._dirty

    def save(self) -> None:
        """Write what has changed. Blocks for the disk; never raises: a full disk costs no picture."""
        if self._path is None or self._write is None:
            return
        with self._saving:
            with self._lock:
                if not self._dirty:
                    return
                self._dirty = False
                data = _encoded(self._content)
            try:
                self._write(self._path, data)
            except OSError as error:
                with self._lock:
                    self._dirty = True
                log.warning("cannot remember where the cameras are: %s: %s", self._path, error.strerror)

    def _put(self, camera_id: str, known: Remembered) -> None:
        if self._content.cameras.get(camera_id) != known:
            self._content.cameras[camera_id] = known
            self._dirty = True


def _encoded(content: _Content) -> bytes:
    cameras = {
        camera_id: {
            "configured": known.configured,
            "found": known.found,
            "moved_at": known.moved_at,
            "macs": list(known.identity.macs),
            "serial": known.identity.serial,
            "endpoint": known.identity.endpoint,
            "hardware": known.identity.hardware,
            "manufacturer": known.manufacturer,
            "model": known.model,
        }
        for camera_id, known in content.cameras.items()
    }
    text = json.dumps({"version": VERSION, "cameras": cameras, "shared": list(content.shared)}, indent=1, ensure_ascii=False)
    return text.encode() + b"\n"


def _read(path: Path) -> _Content:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES)
        return decode(data)
    except FileNotFoundError:
        return _Content()
    except (ValueError, RecursionError, IsADirectoryError):
        why = "no address book"
    except OSError as error:
        log.warning("%s cannot be read (%s); the cameras are learned anew", path, error.strerror)
        return _Content()
    try:
        set_aside(path, why, "the cameras are learned anew")
    except OSError as error:
        log.warning("%s is damaged, and cannot be moved away: %s", path, error.strerror)
    return _Content()


def decode(data: bytes) -> _Content:
    """The content of a file. Raises ValueError if it is none."""
    top = json.loads(data)
    if not isinstance(top, dict) or top.get("version") != VERSION or not isinstance(top.get("cameras"), dict):
        raise ValueError("not an address book of this version")
    shared = top.get("shared")
    return _Content(
        {str(camera_id): _remembered(entry) for camera_id, entry in top["cameras"].items() if isinstance(entry, dict)},
        tuple(str(one) for one in shared)[:MAX_SHARED] if isinstance(shared, list) else (),
    )


def _remembered(entry: dict[str, Any]) -> Remembered:
    def text(name: str) -> str:
        value = entry.get(name, "")
        return value if isinstance(value, str) else ""

    macs, moved_at = entry.get("macs"), entry.get("moved_at")
    return Remembered(
        configured=text("configured"),
        identity=Identity(
            macs=tuple(one for one in macs if isinstance(one, str)) if isinstance(macs, list) else (),
            serial=text("serial"),
            endpoint=text("endpoint"),
            hardware=text("hardware"),
        ),
        found=text("found"),
        manufacturer=text("manufacturer"),
        model=text("model"),
        moved_at=float(moved_at) if isinstance(moved_at, int | float) else 0.0,
    )
