"""What may be written in config.yaml and conf.d, as pydantic models in the shape of the file.

Every field's reader takes the scalar as it was written and answers with a value or a ValueError whose text is the
finding. No text here repeats a value: a secret may stand under the wrong key. `load` gives the readers their
`Surroundings` and turns pydantic's errors into findings with lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, ValidationInfo, model_validator

from gateway.config import addresses, secrets, units
from gateway.config.addresses import HostPort, PushUrl, SourceUrl
from gateway.config.model import (
    Hls,
    Listen,
    Push,
    Rtmp,
    RtspDefaults,
    SecondPublisher,
    StreamChoice,
    SubPolicy,
    Transport,
    UnannouncedPicture,
    WallLayout,
)
from gateway.config.secrets import Secret
from gateway.config.yaml_source import Kind, Scalar

T = TypeVar("T")
E = TypeVar("E", bound=Enum)

_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
"""Surrogates come from escapes such as "\\ud800", and no encoder takes them."""

EMPTY = 'is empty: give a value or remove the line (a value that starts with "#" needs quotes)'
SHORTEST_WINDOW_SEGMENTS = 3
"""RFC 8216 6.2.2: a live playlist keeps at least three target durations."""
MAX_TEXT_CHARS = 500
"""Longer than any name, token or password a camera takes; a whole file pasted between quotes is caught here."""
ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What values may refer to."""

    environ: Mapping[str, str]
    folder: Path
    """Where relative paths start: the folder of config.yaml."""

    def expand(self, text: str) -> str:
        """`text` with `${NAME}` replaced. ValueError if the result cannot be a value."""
        return _clean(secrets.expand(text, self.environ))


class KeyProblems(ValueError):
    """Several findings about keys of one section that do not fit each other: (key or "", message)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(message for _, message in problems))
        self.problems = problems


def _clean(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    return text


def _scalar(value: object) -> Scalar:
    if not isinstance(value, Scalar):
        raise ValueError("must be a single value")  # noqa: TRY004  # pydantic lets a TypeError through
    if value.kind is Kind.NULL:
        raise ValueError(EMPTY)
    return value


def _surroundings(info: ValidationInfo) -> Surroundings:
    assert isinstance(info.context, Surroundings)
    return info.context


def _word(value: object, info: ValidationInfo) -> str:
    """The characters as written; for values that are no free text."""
    return _surroundings(info).expand(_scalar(value).text)


def _reader(read: Callable[[str], T]) -> Callable[[object, ValidationInfo], T]:
    return lambda value, info: read(_word(value, info))


def _free_text(value: object, info: ValidationInfo) -> str:
    scalar = _scalar(value)
    if scalar.kind is Kind.BOOL:
        raise ValueError("YAML reads this word as yes or no: put it in quotes")
    text = _surroundings(info).expand(scalar.text)
    if len(text) > MAX_TEXT_CHARS:
        raise ValueError(f"is longer than {MAX_TEXT_CHARS} characters")
    return text


def _label(value: object, info: ValidationInfo) -> str:
    text = _free_text(value, info).strip()
    if not text:
        raise ValueError(EMPTY)
    return text


def _secret(value: object, info: ValidationInfo) -> Secret:
    return Secret(_free_text(value, info))


def _key(value: object, info: ValidationInfo) -> Secret:
    text = _free_text(value, info)
    if not text:
        raise ValueError(EMPTY)
    return Secret(text)


def _secret_file(value: object, info: ValidationInfo) -> Secret:
    return secrets.read_file(_path(value, info))


def _path(value: object, info: ValidationInfo) -> Path:
    text = _label(value, info)
    try:
        return _surroundings(info).folder / Path(text).expanduser()
    except RuntimeError:
        raise ValueError('"~" names a user without a home folder') from None


def _flag(text: str) -> bool:
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def _choice(kind: type[E]) -> Callable[[object, ValidationInfo], E]:
    names = [str(member.value) for member in kind]

    def read(text: str) -> E:
        if text not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return kind(text)

    return _reader(read)


def _duration(least_s: float, most_s: float) -> Callable[[object, ValidationInfo], float]:
    def read(text: str) -> float:
        value_s = units.seconds(text)
        if not least_s <= value_s <= most_s:
            raise ValueError(f"must be between {units.written(least_s)} and {units.written(most_s)}")
        return value_s

    return _reader(read)


def _listener(text: str) -> HostPort | None:
    return None if text.lower() in ("off", "false", "no") else addresses.host_port(text)


def _source_url(value: object, info: ValidationInfo) -> SourceUrl:
    return addresses.source_url(_clean(_scalar(value).text), _surroundings(info).expand)


def _push_url(value: object, info: ValidationInfo) -> PushUrl:
    return addresses.push_url(_clean(_scalar(value).text), _surroundings(info).expand)


def _existing_file(value: object, info: ValidationInfo) -> Path:
    path = _path(value, info)
    if not path.is_file():
        raise ValueError("the file does not exist (a relative path starts at the folder of config.yaml)")
    return path


def _fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise ValueError("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return plain


def _identifier(text: str) -> str:
    if ID.fullmatch(text):
        return text
    proposal = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-")
    hint = f', such as "{proposal}"' if proposal else ""
    raise ValueError(f"an id is at most 63 of a-z, 0-9 and dashes, and starts with a letter or digit{hint}")


class Section(BaseModel):
    """A mapping of the file. `_problems` looks at keys together once each of them is right."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def _problems(self) -> Iterator[tuple[str, str]]:
        yield from ()

    @model_validator(mode="after")
    def _fits(self) -> Section:
        problems = list(self._problems())
        if problems:
            raise KeyProblems(problems)
        return self


def _null_is_absent(value: object) -> object:
    """A section whose lines are all commented out is a section left out."""
    return {} if isinstance(value, Scalar) and value.kind is Kind.NULL else value


def _null_is_no_list(value: object) -> object:
    return [] if isinstance(value, Scalar) and value.kind is Kind.NULL else value


Listener = Annotated[HostPort | None, PlainValidator(_reader(_listener))]
Text = Annotated[str, PlainValidator(_free_text)]
Label = Annotated[str, PlainValidator(_label)]
Flag = Annotated[bool, PlainValidator(_reader(_flag))]
Password = Annotated[Secret, PlainValidator(_secret)]
PasswordFile = Annotated[Secret, PlainValidator(_secret_file)]
PictureName = Annotated[UnannouncedPicture, PlainValidator(_choice(UnannouncedPicture))]
TransportName = Annotated[Transport, PlainValidator(_choice(Transport))]
SourceText = Annotated[SourceUrl, PlainValidator(_source_url)]
Key = Annotated[Secret, PlainValidator(_key)]
Origin = Annotated[str, PlainValidator(_reader(addresses.web_origin))]


class ListenSection(Section):
    https: Listener = Listen().https
    http: Listener = Listen().http
    rtmp: Listener = Listen().rtmp
    rtmps: Listener = Listen().rtmps

    def _problems(self) -> Iterator[tuple[str, str]]:
        seen: dict[HostPort, str] = {}
        for key in ("https", "http", "rtmp", "rtmps"):
            place = getattr(self, key)
            if place is None or place.port == 0:
                continue
            if place in seen:
                yield key, f"uses the same address and port as listen.{seen[place]}"
            seen.setdefault(place, key)
        if self.https is None and self.http is None:
            yield "", "https and http are both off, so there would be no wall: leave one of them on"


class CredentialEntry(Section):
    username: Label
    password: Password | None = None
    password_file: PasswordFile | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        yield from _one_password(self.password, self.password_file)
        if self.password is None and self.password_file is None:
            yield "", "needs a password or a password_file"

    @property
    def secret(self) -> Secret:
        """The password, wherever it came from."""
        return self.password or self.password_file or Secret("")


class DiscoverySection(Section):
    enabled: Flag = True
    interval: Annotated[float, PlainValidator(_duration(10, 86400))] = 60.0
    credentials: Annotated[tuple[CredentialEntry, ...], BeforeValidator(_null_is_no_list)] = ()


class RtspSection(Section):
    transport: TransportName = RtspDefaults().transport
    open_timeout: Annotated[float, PlainValidator(_duration(1, 60))] = RtspDefaults().open_timeout_s
    read_timeout: Annotated[float, PlainValidator(_duration(2, 30))] = RtspDefaults().read_timeout_s


class HlsSection(Section):
    part: Annotated[float, PlainValidator(_duration(0.1, 1))] = Hls().part_s
    segment: Annotated[float, PlainValidator(_duration(1, 10))] = Hls().segment_s
    window: Annotated[float, PlainValidator(_duration(4, 120))] = Hls().window_s

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.segment < 2 * self.part:
            yield "segment", f"must be at least two parts long, {units.written(2 * self.part)}"
        least_s = SHORTEST_WINDOW_SEGMENTS * self.segment
        if self.window < least_s:
            yield "window", f"must hold at least {SHORTEST_WINDOW_SEGMENTS} segments, {units.written(least_s)}"


class AuthSection(Section):
    anonymous_viewing: Flag = False


class RtmpSection(Section):
    silent_audio: Flag = Rtmp().silent_audio
    h265: PictureName = Rtmp().h265


class PublishSection(Section):
    key: Key
    second: Annotated[SecondPublisher, PlainValidator(_choice(SecondPublisher))] = SecondPublisher.REFUSE


class PushEntry(Section):
    """A URL alone, or a mapping."""

    url: Annotated[PushUrl, PlainValidator(_push_url)]
    key: Key | None = None
    name: Label | None = None
    stream: Annotated[StreamChoice, PlainValidator(_choice(StreamChoice))] = StreamChoice.MAIN
    silent_audio: Flag = True
    enhanced: Flag = False
    verify: Flag = True
    ca_file: Annotated[Path, PlainValidator(_existing_file)] | None = None
    fingerprint: Annotated[str, PlainValidator(_reader(_fingerprint))] | None = None

    @model_validator(mode="before")
    @classmethod
    def _url_alone(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Scalar):
            return value
        _nameless(_push_url(value, info))  # a finding about it belongs to the entry, which has no key "url"
        return {"url": value}

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.key is None:
            try:
                _nameless(self.url)
            except ValueError as error:
                yield "url", str(error)
        elif not self.url.app and not self.url.name.reveal().partition("?")[0]:
            yield "url", "needs an application: rtmp://HOST/APPLICATION"
        trust = [key for key in ("ca_file", "fingerprint") if getattr(self, key) is not None]
        trust += [] if self.verify else ["verify"]
        for key in trust:
            if not self.url.tls:
                yield key, "belongs to an rtmps:// URL"
        for key in trust[1:]:
            yield key, f'"{trust[0]}" already says which certificate is good'

    def push(self) -> Push:
        """The target these lines mean."""
        url = self.url
        app, name = url.app, url.name
        if self.key is not None:
            # OBS's two fields: the URL is the server with its application, the key stands beside it.
            app, name = "/".join(part for part in (url.app, url.name.reveal()) if part), self.key
        return Push(
            url.host,
            url.port,
            app,
            name,
            tls=url.tls,
            username=url.username,
            password=url.password,
            stream=self.stream,
            name=self.name or "",
            silent_audio=self.silent_audio,
            enhanced=self.enhanced,
            verify=self.verify,
            ca_file=self.ca_file,
            fingerprint=self.fingerprint or "",
        )


def _nameless(url: PushUrl) -> None:
    if not url.app or not url.name.reveal().partition("?")[0]:
        raise ValueError("needs an application and a stream name: rtmp://HOST/APPLICATION/NAME")


class CameraEntry(Section):
    name: Label | None = None
    group: Label | None = None
    enabled: Flag = True
    address: Annotated[str, PlainValidator(_reader(addresses.device_address))] | None = None
    rtsp: SourceText | None = None
    sub: SourceText | None = None
    username: Label | None = None
    password: Password | None = None
    password_file: PasswordFile | None = None
    transport: TransportName | None = None
    sub_policy: Annotated[SubPolicy, PlainValidator(_choice(SubPolicy))] = SubPolicy.ON_DEMAND
    audio: Flag = True
    h265: PictureName | None = None
    profile: Label | None = None
    sub_profile: Label | None = None
    events: Flag = True
    publish: PublishSection | None = None
    push: Annotated[tuple[PushEntry, ...], BeforeValidator(_null_is_no_list)] = ()

    def _problems(self) -> Iterator[tuple[str, str]]:
        sources = [key for key in ("address", "rtsp", "publish") if getattr(self, key) is not None]
        if not sources:
            yield "", 'needs "address" (an ONVIF camera), "rtsp" (a stream URL) or "publish" (it sends to us)'
            return
        for extra in sources[1:]:
            yield extra, f'a camera has one source, and "{sources[0]}" is already given'
        yield from self._misplaced(sources[0])
        yield from _one_password(self.password, self.password_file)
        yield from self._credential_problems()
        yield from self._push_problems()

    def _push_problems(self) -> Iterator[tuple[str, str]]:
        seen: set[tuple[str, int, str, Secret]] = set()
        for entry in self.push:
            push = entry.push()
            place = (push.host, push.port, push.app, push.key)
            if place in seen:
                yield "push", "two entries name the same place; a server takes one publisher per name"
            seen.add(place)
            if push.stream is StreamChoice.SUB and self.sub is None and self.address is None:
                yield "push", '"stream: sub" needs a camera with a sub stream'

    def _misplaced(self, source: str) -> Iterator[tuple[str, str]]:
        belongs = {
            "sub": ("rtsp",),
            "profile": ("address",),
            "sub_profile": ("address",),
            "username": ("address", "rtsp"),
            "password": ("address", "rtsp"),
            "password_file": ("address", "rtsp"),
            "transport": ("address", "rtsp"),
        }
        for key, homes in belongs.items():
            if getattr(self, key) is not None and source not in homes:
                yield key, f'belongs to a camera with "{homes[0]}", not with "{source}"'

    def _credential_problems(self) -> Iterator[tuple[str, str]]:
        secret = self.password if self.password is not None else self.password_file
        username = self.username
        for key, url in (("rtsp", self.rtsp), ("sub", self.sub)):
            if url is None or url.username is None:
                continue
            if username not in (None, url.username):
                yield key, "the URL has another user name than was given before"
            if secret is not None and url.password not in (None, secret):
                yield key, "the URL has another password than was given before"
            username = username or url.username
            secret = secret if secret is not None else url.password
        if secret is not None and username is None:
            yield "password" if self.password is not None else "password_file", 'needs "username" beside it'

    @property
    def login(self) -> tuple[str | None, Secret | None]:
        """User name and password, from the keys or from the URLs; they do not contradict each other."""
        urls = [url for url in (self.rtsp, self.sub) if url is not None]
        usernames = [self.username, *(url.username for url in urls)]
        passwords = [self.password, self.password_file, *(url.password for url in urls)]
        username = next((one for one in usernames if one is not None), None)
        return username, next((one for one in passwords if one is not None), None)


def _one_password(password: Secret | None, password_file: Secret | None) -> Iterator[tuple[str, str]]:
    if password is not None and password_file is not None:
        yield "password_file", 'give "password" or "password_file", not both'


class ViewEntry(Section):
    name: Label | None = None
    cameras: Annotated[tuple[Label, ...], BeforeValidator(_null_is_no_list)]
    layout: Annotated[WallLayout, PlainValidator(_choice(WallLayout))] | None = None

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not self.cameras:
            yield "cameras", "names no camera"
        if len(set(self.cameras)) < len(self.cameras):
            yield "cameras", "names a camera twice"


class WatchSection(Section):
    embed: Annotated[tuple[Origin, ...], BeforeValidator(_null_is_no_list)] = ()


Identifier = Annotated[str, BeforeValidator(_identifier)]
Cameras = Annotated[dict[Identifier, CameraEntry], BeforeValidator(_null_is_absent)]
Views = Annotated[dict[Identifier, ViewEntry], BeforeValidator(_null_is_absent)]


class CamerasFile(Section):
    """A file of conf.d."""

    cameras: Cameras = {}


class ConfigFile(Section):
    """config.yaml."""

    site: Label = "Camera Gateway"
    listen: Annotated[ListenSection, BeforeValidator(_null_is_absent)] = ListenSection()
    data_dir: Annotated[Path, PlainValidator(_path)] | None = None
    discovery: Annotated[DiscoverySection, BeforeValidator(_null_is_absent)] = DiscoverySection()
    rtsp: Annotated[RtspSection, BeforeValidator(_null_is_absent)] = RtspSection()
    hls: Annotated[HlsSection, BeforeValidator(_null_is_absent)] = HlsSection()
    rtmp: Annotated[RtmpSection, BeforeValidator(_null_is_absent)] = RtmpSection()
    auth: Annotated[AuthSection, BeforeValidator(_null_is_absent)] = AuthSection()
    watch: Annotated[WatchSection, BeforeValidator(_null_is_absent)] = WatchSection()
    cameras: Cameras = {}
    views: Views = {}


def known_keys(top: type[Section], path: tuple[str | int, ...]) -> list[str]:
    """Keys that may stand in the section at `path`."""
    at: Any = top
    for part in path:
        at = at.model_fields[str(part)].annotation if _is_section(at) else _element(at)
        if get_origin(at) is UnionType:  # X | None
            at = get_args(at)[0]
    return list(at.model_fields) if _is_section(at) else []


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and not get_origin(annotation) and issubclass(annotation, Section)


def _element(annotation: Any) -> Any:
    """What a `dict[str, X]` or `tuple[X, ...]` holds."""
    arguments = get_args(annotation)
    return arguments[1] if get_origin(annotation) is dict else arguments[0]
