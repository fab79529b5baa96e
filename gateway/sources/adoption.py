"""Takes a camera that was found on the network into the configuration: asks it, names it, writes it down.

Blocking for as long as the camera takes, within `PROBE_DEADLINE_S`: worker threads and the command line. Whoever calls
makes the running gateway read its configuration again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gateway.config import drop_in
from gateway.config.addresses import device_address
from gateway.config.drop_in import Entry
from gateway.config.fields import ID, MAX_TEXT_CHARS
from gateway.config.load import DROP_IN_FOLDER, load
from gateway.config.model import Camera, Config
from gateway.errors import AdoptError, ConfigError, SourceError
from gateway.onvif import addresses
from gateway.onvif.resolve import ResolvedCamera, resolve_camera

PROBE_DEADLINE_S = 12.0
"""Somebody waits in front of a page."""
MAX_ID_CHARS = 63
_URL = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)

Resolve = Callable[..., ResolvedCamera]


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to adopt. Empty texts count as not given."""

    address: str
    """Host, host:port, or the address of its ONVIF service."""
    id: str = ""
    name: str = ""
    username: str = ""
    """Without it the first of the discovery credentials is tried, and stays in use."""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Adopted:
    """What came of it. `config` is the configuration with the new camera."""

    id: str
    name: str
    file: Path
    has_sub: bool
    config: Config


def adopt(
    wish: Wish,
    config_path: Path,
    environ: Mapping[str, str],
    *,
    resolve: Resolve = resolve_camera,
    now: Callable[[], datetime] = datetime.now,
) -> Adopted:
    """Ask the camera and write `conf.d/<id>.yaml`. Raises AdoptError, having written nothing."""
    address = _address(wish.address)
    _check_texts(wish)
    config = _configuration(config_path, environ)
    _check_new(wish, address, config.cameras)
    found = _ask(address, wish, config, resolve)
    about = found.description
    model = drop_in.one_line(f"{about.manufacturer} {about.model}")
    name = wish.name.strip() or model or "Camera"
    camera_id = wish.id or _free_id(name, {camera.id for camera in config.cameras})
    note = f"Adopted {now():%Y-%m-%d %H:%M}: {model or 'an ONVIF camera'}, serial number {about.serial or 'not told'}"
    login = (wish.username, wish.password) if wish.username else (None, None)
    entry = Entry(camera_id, name[:MAX_TEXT_CHARS], address, *login)
    try:
        file = drop_in.write_new(config_path, entry, note, _owner(config.data_dir))
    except FileExistsError:
        raise AdoptError("id-taken", f"{DROP_IN_FOLDER}/{camera_id}.yaml exists already: choose another id") from None
    except OSError as error:
        where = config_path.parent / DROP_IN_FOLDER
        raise AdoptError("not-written", f"the gateway cannot write to {where}: {error.strerror or error}") from None
    try:
        config = load(config_path, environ)
    except ConfigError as error:
        file.unlink(missing_ok=True)
        raise AdoptError("configuration", f"the camera does not fit the configuration: {error.findings[0]}") from None
    return Adopted(camera_id, entry.name, file, found.sub_url is not None, config)


def _address(text: str) -> str:
    url = _URL.match(text.strip())
    try:
        return device_address(url[1].rpartition("@")[2] if url else text.strip())
    except ValueError as error:
        raise AdoptError("bad-request", f"the address {error}") from None


def _check_texts(wish: Wish) -> None:
    for key in ("id", "name", "username", "password"):
        text = getattr(wish, key)
        if len(text) > MAX_TEXT_CHARS or not all(one.isprintable() for one in text):
            raise AdoptError("bad-request", f"the {key} must be one line of at most {MAX_TEXT_CHARS} characters")
    if wish.id and not ID.fullmatch(wish.id):
        raise AdoptError("bad-request", "an id is at most 63 of a-z, 0-9 and dashes, and starts with a letter or digit")
    if wish.password and not wish.username:
        raise AdoptError("bad-request", "a password needs a user name beside it")


def _configuration(config_path: Path, environ: Mapping[str, str]) -> Config:
    try:
        return load(config_path, environ)
    except ConfigError as error:
        raise AdoptError("configuration", f"the configuration has mistakes, correct them first: {error.findings[0]}") from None


def _check_new(wish: Wish, address: str, cameras: Iterable[Camera]) -> None:
    asked = addresses.split(address)
    for camera in cameras:
        if camera.id == wish.id:
            raise AdoptError("id-taken", f"there is a camera {wish.id} already: choose another id")
        place = addresses.split(camera.address) if camera.address is not None else None
        if place is not None and (place.host.lower(), place.effective_port) == (asked.host.lower(), asked.effective_port):
            raise AdoptError("already-configured", f"{address} is configured already, as {camera.id}")


def _ask(address: str, wish: Wish, config: Config, resolve: Resolve) -> ResolvedCamera:
    username, password = wish.username or None, wish.password
    if username is None and config.discovery.credentials:
        first = config.discovery.credentials[0]
        username, password = first.username, first.password.reveal()
    try:
        return resolve(address, username, password, deadline_s=PROBE_DEADLINE_S)
    except SourceError as error:
        raise AdoptError(error.code, str(error)) from None


def _free_id(name: str, taken: set[str]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: MAX_ID_CHARS - 4].strip("-") or "camera"
    candidates = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(candidate for candidate in candidates if candidate not in taken)


def _owner(data_dir: Path) -> tuple[int, int] | None:
    """Who runs the gateway, if that is somebody else: root adopts for the service's user, who must read the file."""
    if os.geteuid() != 0:
        return None
    try:
        status = data_dir.stat()
    except OSError:
        return None
    return status.st_uid, status.st_gid
