"""How one value of config.yaml is read, and what all sections of the file share.

Every field's reader takes the scalar as it was written and answers with a value or a ValueError whose text is the
finding. No text here repeats a value: a secret may stand under the wrong key. `load` gives the readers their
`Surroundings` and turns pydantic's errors into findings with lines. Pure but for the files that values name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationInfo, model_validator

from gateway.config import addresses, secrets, units
from gateway.config.addresses import HostPort, PushUrl, SourceUrl
from gateway.config.model import (
    RtspClient,
    Transport,
    UnannouncedPicture,
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
    named: set[Path] = field(default_factory=set)
    """Files that values name, whether they exist or not: a reload has to look at them too."""

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


def reader(read: Callable[[str], T]) -> Callable[[object, ValidationInfo], T]:
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


def read_secret(value: object, info: ValidationInfo) -> Secret:
    return Secret(_free_text(value, info))


def _key(value: object, info: ValidationInfo) -> Secret:
    text = _free_text(value, info)
    if not text:
        raise ValueError(EMPTY)
    return Secret(text)


def _secret_file(value: object, info: ValidationInfo) -> Secret:
    path = read_path(value, info)
    _surroundings(info).named.add(path)
    return secrets.read_file(path)


def read_path(value: object, info: ValidationInfo) -> Path:
    text = _label(value, info)
    try:
        return _surroundings(info).folder / Path(text).expanduser()
    except RuntimeError:
        raise ValueError('"~" names a user without a home folder') from None


def read_flag(text: str) -> bool:
    if text.lower() in ("true", "yes", "on"):
        return True
    if text.lower() in ("false", "no", "off"):
        return False
    raise ValueError("must be true or false")


def choice(kind: type[E]) -> Callable[[object, ValidationInfo], E]:
    names = [str(member.value) for member in kind]

    def read(text: str) -> E:
        if text not in names:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return kind(text)

    return reader(read)


def duration(least_s: float, most_s: float) -> Callable[[object, ValidationInfo], float]:
    def read(text: str) -> float:
        value_s = units.seconds(text)
        if not least_s <= value_s <= most_s:
            raise ValueError(f"must be between {units.written(least_s)} and {units.written(most_s)}")
        return value_s

    return reader(read)


def _listener(text: str) -> HostPort | None:
    return None if text.lower() in ("off", "false", "no") else addresses.host_port(text)


def _source_url(value: object, info: ValidationInfo) -> SourceUrl:
    return addresses.source_url(_clean(_scalar(value).text), _surroundings(info).expand)


def read_push_url(value: object, info: ValidationInfo) -> PushUrl:
    return addresses.push_url(_clean(_scalar(value).text), _surroundings(info).expand)


def read_existing_file(value: object, info: ValidationInfo) -> Path:
    path = read_path(value, info)
    _surroundings(info).named.add(path)
    if not path.is_file():
        raise ValueError("the file does not exist (a relative path starts at the folder of config.yaml)")
    return path


def read_fingerprint(text: str) -> str:
    plain = text.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", plain):
        raise ValueError("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")
    return plain


def read_identifier(text: str) -> str:
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


def null_is_absent(value: object) -> object:
    """A section whose lines are all commented out is a section left out."""
    return {} if isinstance(value, Scalar) and value.kind is Kind.NULL else value


def null_is_no_list(value: object) -> object:
    return [] if isinstance(value, Scalar) and value.kind is Kind.NULL else value


Listener = Annotated[HostPort | None, PlainValidator(reader(_listener))]
Text = Annotated[str, PlainValidator(_free_text)]
Label = Annotated[str, PlainValidator(_label)]
Flag = Annotated[bool, PlainValidator(reader(read_flag))]
Password = Annotated[Secret, PlainValidator(read_secret)]
PasswordFile = Annotated[Secret, PlainValidator(_secret_file)]
PictureName = Annotated[UnannouncedPicture, PlainValidator(choice(UnannouncedPicture))]
ClientName = Annotated[RtspClient, PlainValidator(choice(RtspClient))]
TransportName = Annotated[Transport, PlainValidator(choice(Transport))]
SourceText = Annotated[SourceUrl, PlainValidator(_source_url)]
Key = Annotated[Secret, PlainValidator(_key)]
Origin = Annotated[str, PlainValidator(reader(addresses.web_origin))]
Network = Annotated[str, PlainValidator(reader(addresses.network))]
HookUrl = Annotated[str, PlainValidator(reader(addresses.web_url))]


def one_password(password: Secret | None, password_file: Secret | None) -> Iterator[tuple[str, str]]:
    if password is not None and password_file is not None:
        yield "password_file", 'give "password" or "password_file", not both'


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
