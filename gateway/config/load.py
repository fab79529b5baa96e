"""config.yaml and conf.d/*.yaml to one `Config`, or every finding of all files at once.

Reads files when called and keeps nothing. Any thread.
"""

from __future__ import annotations

import contextlib
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.config import yaml_source
from gateway.config.addresses import SourceUrl
from gateway.config.camera_schema import CameraEntry
from gateway.config.fields import KeyProblems, Section, Surroundings, known_keys
from gateway.config.findings import Finding, KeyPath
from gateway.config.model import (
    Auth,
    Camera,
    Config,
    Credential,
    Discovery,
    Hls,
    Incidents,
    Listen,
    Metrics,
    Onvif,
    ProxyTrust,
    Publish,
    Reload,
    Rtmp,
    RtspDefaults,
    Tls,
    User,
    View,
    Watch,
)
from gateway.config.schema import AuthSection, CamerasFile, ConfigFile, ViewEntry
from gateway.config.user_schema import UserEntry
from gateway.config.yaml_source import Document, Kind, Scalar
from gateway.errors import ConfigError

S = TypeVar("S", bound=Section)

DROP_IN_FOLDER = "conf.d"
DEFAULT_DATA_FOLDER = "data"
NO_CAMERA = "there is no such camera"
NO_GROUP = "no camera is in this group"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the files hold. Either `config` is there, or `findings` say what is wrong."""

    config: Config | None
    findings: tuple[Finding, ...]
    named: frozenset[Path]
    """Files that were read because a value names them: passwords, certificates."""
    settings: ConfigFile | None
    """As written, with defaults, in the shape of config.yaml without the cameras of other files."""
    cameras: tuple[tuple[str, str, CameraEntry], ...] = ()
    """File, id and entry of every camera."""
    documents: Mapping[str, Document] = field(default_factory=dict)
    """By file, for the lines."""


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Read the configuration. `ConfigError` holds all findings, sorted by file and line; none repeats a secret."""
    reading = read(path, environ)
    if reading.config is None:
        raise ConfigError([str(finding) for finding in reading.findings])
    return reading.config


def read(path: Path, environ: Mapping[str, str]) -> Reading:
    """Read the configuration, and keep what a reload and the settings page want to know of it."""
    surroundings = Surroundings(environ, path.parent)
    main = _File.read(path, path.name, 0)
    found, trouble = _drop_ins(path)
    main.findings.extend(trouble)
    drop_ins = [_File.read(one, f"{DROP_IN_FOLDER}/{one.name}", order) for order, one in enumerate(found, 1)]
    settings = main.validate(ConfigFile, surroundings)
    cameras = {main: settings.cameras if settings else {}}
    for file in drop_ins:
        entries = file.validate(CamerasFile, surroundings)
        cameras[file] = entries.cameras if entries else {}
    files = [main, *drop_ins]
    _refuse_repeated_ids(files)
    if settings is not None:
        _refuse_views_of_unknown_cameras(main, settings.views, files)
        _refuse_users_of_unknown_cameras(main, settings.users, files)
    findings = sorted({finding for file in files for finding in file.findings})
    named = frozenset(surroundings.named)
    if findings or settings is None:
        return Reading(None, tuple(findings), named, None)
    config = Config(
        site=settings.site,
        listen=Listen(
            settings.listen.https,
            settings.listen.http,
            settings.listen.rtmp,
            settings.listen.rtmps,
            settings.listen.rtsp,
            settings.listen.http_redirect,
        ),
        tls=Tls(settings.tls.certificate, settings.tls.key, settings.tls.hsts or 0.0),
        reload=Reload(settings.reload.watch),
        data_dir=settings.data_dir or path.parent / DEFAULT_DATA_FOLDER,
        discovery=Discovery(
            settings.discovery.enabled,
            settings.discovery.interval,
            tuple(Credential(entry.username, entry.secret) for entry in settings.discovery.credentials),
        ),
        rtsp=RtspDefaults(
            settings.rtsp.transport, settings.rtsp.open_timeout, settings.rtsp.read_timeout, settings.rtsp.client
        ),
        hls=Hls(settings.hls.part, settings.hls.segment, settings.hls.window),
        rtmp=Rtmp(settings.rtmp.silent_audio, settings.rtmp.h265),
        auth=_auth(settings.auth),
        watch=Watch(settings.watch.embed),
        onvif=Onvif(settings.onvif.enabled, settings.onvif.username or "", settings.onvif.secret, settings.onvif.listen),
        metrics=Metrics(settings.metrics.allow),
        incidents=Incidents(settings.incidents.keep),
        webhooks=tuple(entry.webhook(number) for number, entry in enumerate(settings.webhooks, 1)),
        cameras=tuple(_camera(key, entry) for entries in cameras.values() for key, entry in entries.items()),
        views=tuple(View(key, entry.name or key, entry.cameras, entry.layout) for key, entry in settings.views.items()),
        users=tuple(
            User(key, entry.password_hash, entry.role, entry.cameras, entry.groups) for key, entry in settings.users.items()
        ),
        warnings=tuple(str(warning) for warning in _unread(path)),
    )
    entries_of = tuple((file.name, key, entry) for file, entries in cameras.items() for key, entry in entries.items())
    return Reading(config, (), named, settings, entries_of, {file.name: file.document for file in files})


def drop_in_files(path: Path, *suffixes: str) -> list[Path]:
    """Files of `conf.d` beside config.yaml. Hidden ones are editors' and file servers' own. Raises OSError."""
    folder = path.parent / DROP_IN_FOLDER
    try:
        return sorted(one for one in folder.iterdir() if one.suffix in suffixes and not one.name.startswith("."))
    except FileNotFoundError:
        return []


def _drop_ins(path: Path) -> tuple[list[Path], list[Finding]]:
    """A folder that cannot be read is a mistake: its cameras must not go for it."""
    try:
        return drop_in_files(path, ".yaml"), []
    except OSError as error:
        return [], [Finding(1, 0, DROP_IN_FOLDER, (), f"cannot be read ({error.strerror})")]


def _unread(path: Path) -> list[Finding]:
    with contextlib.suppress(OSError):
        names = [one.name for one in drop_in_files(path, ".yml")]
        return [Finding(1, 0, f"{DROP_IN_FOLDER}/{name}", (), "is not read: its name must end in .yaml") for name in names]
    return []


@dataclass(frozen=True, slots=True, eq=False)
class _File:
    """One file, its values, and what was found wrong in it."""

    name: str
    order: int
    document: Document
    findings: list[Finding]

    @classmethod
    def read(cls, path: Path, name: str, order: int) -> _File:
        try:
            with path.open("rb") as file:
                data = file.read(yaml_source.MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return cls._unusable(name, order, "does not exist")
        except IsADirectoryError:
            return cls._unusable(name, order, "is a folder, not a file")
        except PermissionError:
            return cls._unusable(name, order, "may not be read by this user")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a file name"
            return cls._unusable(name, order, f"cannot be read ({reason})")
        document = yaml_source.read(data)
        found = [Finding(order, line, name, at, message) for line, at, message in document.problems]
        return cls(name, order, document, found)

    @classmethod
    def _unusable(cls, name: str, order: int, reason: str) -> _File:
        return cls(name, order, Document({}, {}, []), [Finding(order, 0, name, (), reason)])

    def at(self, path: KeyPath, message: str) -> Finding:
        return Finding(self.order, self.document.line(path), self.name, path, message)

    def validate(self, schema: type[S], surroundings: Surroundings) -> S | None:
        try:
            return schema.model_validate(self.document.root, context=surroundings)
        except ValidationError as error:
            details = error.errors(include_url=False, include_input=False)
        for detail in details:
            self.findings.extend(self._translate(schema, detail))
        return None

    def _translate(self, schema: type[Section], detail: ErrorDetails) -> Iterator[Finding]:
        path = tuple(part for part in detail["loc"] if part != "[key]")
        reason = detail.get("ctx", {}).get("error")
        if isinstance(reason, KeyProblems):
            for key, message in reason.problems:
                yield self.at((*path, key) if key else path, message)
        elif isinstance(reason, ValueError):
            yield self.at(path, str(reason))
        elif detail["type"] == "extra_forbidden":
            yield self.at(path, _unknown(str(path[-1]), known_keys(schema, path[:-1])))
        elif detail["type"] == "missing":
            yield self.at(path, "is missing")
        else:
            yield self.at(path, self._wrong_shape(path, detail["type"]))

    def _wrong_shape(self, path: KeyPath, kind: str) -> str:
        value = self.document.value(path)
        if isinstance(value, Scalar) and value.kind is Kind.NULL:
            return "is empty: indent its keys below it"
        if kind == "tuple_type":
            return 'must be a list: lines that start with "- "'
        return 'must hold "key: value" lines, indented below it'


def _unknown(key: str, known: list[str]) -> str:
    plain = re.sub(r"[^a-z]+", "_", key.lower()).strip("_")
    close = difflib.get_close_matches(plain, known, n=1, cutoff=0.6)
    if close:
        return f'unknown key, did you mean "{close[0]}"?'
    return f"unknown key, known here are {', '.join(known)}"


def _refuse_repeated_ids(files: list[_File]) -> None:
    first: dict[str, _File] = {}
    for file in files:
        cameras = file.document.root.get("cameras")
        for key in cameras if isinstance(cameras, dict) else ():
            owner = first.setdefault(key, file)
            if owner is not file:
                place = f"{owner.name}:{owner.document.line(('cameras', key))}"
                file.findings.append(file.at(("cameras", key), f"this id is already used at {place}"))


def _refuse_views_of_unknown_cameras(main: _File, views: Mapping[str, ViewEntry], files: list[_File]) -> None:
    known = set(_written_cameras(files))
    for key, view in views.items():
        _refuse_unknown(main, ("views", key, "cameras"), view.cameras, known, NO_CAMERA)


def _refuse_users_of_unknown_cameras(main: _File, users: Mapping[str, UserEntry], files: list[_File]) -> None:
    written = _written_cameras(files)
    groups = {
        group.text.strip() for camera in written.values() if isinstance(camera, dict)
        and isinstance(group := camera.get("group"), Scalar)
    }  # fmt: skip
    for key, user in users.items():
        _refuse_unknown(main, ("users", key, "cameras"), user.cameras or (), set(written), NO_CAMERA)
        _refuse_unknown(main, ("users", key, "groups"), user.groups or (), groups, NO_GROUP)


def _written_cameras(files: list[_File]) -> dict[str, object]:
    """Cameras as written: one with a mistake of its own is not missing."""
    sections = [file.document.root.get("cameras") for file in files]
    return {str(key): camera for section in sections if isinstance(section, dict) for key, camera in section.items()}


def _refuse_unknown(main: _File, path: KeyPath, names: tuple[str, ...], known: set[str], message: str) -> None:
    for position, name in enumerate(names):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f', did you mean "{close[0]}"?' if close else ""
            main.findings.append(main.at((*path, position), f"{message}{hint}"))


def _auth(section: AuthSection) -> Auth:
    proxy = section.proxy
    return Auth(
        section.anonymous_viewing,
        section.session_idle,
        section.session_lifetime,
        ProxyTrust(proxy.addresses, proxy.user_header or "") if proxy is not None else None,
    )


def _camera(key: str, entry: CameraEntry) -> Camera:
    username, password = entry.login
    return Camera(
        id=key,
        name=entry.name or key,
        enabled=entry.enabled,
        address=entry.address,
        rtsp=_url(entry.rtsp),
        sub=_url(entry.sub),
        username=username,
        password=password,
        transport=entry.transport,
        client=entry.client,
        trust=entry.trust,
        sub_policy=entry.sub_policy,
        audio=entry.audio,
        h265=entry.h265,
        profile=entry.profile,
        sub_profile=entry.sub_profile,
        events=entry.events,
        publish=Publish(entry.publish.key, entry.publish.second) if entry.publish else None,
        push=tuple(push.push() for push in entry.push),
        group=entry.group,
    )


def _url(source: SourceUrl | None) -> str | None:
    return source.url if source else None
