"""The configuration in effect, line by line as YAML says it: defaults filled in, secrets hidden, and where each key stands.

Pure. Walks the schema's models, so that a new section needs nothing here. What may be secret is hidden twice: by its type
(`Secret`) and by the name of its key, for sections whose author did not think of this page.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.config import units
from gateway.config.addresses import HostPort, PushUrl, SourceUrl
from gateway.config.fields import Section
from gateway.config.findings import KeyPath
from gateway.config.load import Reading
from gateway.config.schema import WebhookEntry
from gateway.config.secrets import Secret
from gateway.config.yaml_source import Document, Scalar
from gateway.redact import HIDDEN, redact

_SECRET_NAME = re.compile(r"passw|secret|token|hash|credential|(^|_)key$")
_OFF = "off"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `depth` is its indentation; `value` is empty where keys follow below."""

    depth: int
    key: str
    value: str
    file: str = ""
    """Where it is written; empty for a default."""
    line: int = 0
    item: bool = False
    """It begins a list item."""

    @property
    def is_default(self) -> bool:
        """It is written nowhere."""
        return not self.file


def lines(reading: Reading) -> tuple[Line, ...]:
    """Everything that a reading says. Empty if it was refused."""
    if reading.settings is None:
        return ()
    main = next(iter(reading.documents))
    place = _Place(main, reading.documents[main])
    found = list(_section(reading.settings, place, (), 0, leave_out="cameras"))
    if reading.config is not None and reading.settings.data_dir is None:
        found.append(Line(0, "data_dir", str(reading.config.data_dir)))
    if reading.cameras:
        found.append(Line(0, "cameras", "", main, place.document.line(("cameras",))))
    for file, key, entry in reading.cameras:
        at = _Place(file, reading.documents[file])
        found += _below(key, entry, at, ("cameras", key), 1)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Place:
    file: str
    document: Document


def _section(section: Section, place: _Place, path: KeyPath, depth: int, leave_out: str = "") -> Iterator[Line]:
    for name in type(section).model_fields:
        value = getattr(section, name)
        at = (*path, name)
        written = place.document.value(at) is not None
        if name == leave_out or (not written and value in (None, (), {}) and not _is_listener(section, name)):
            continue
        yield from _below(name, value, place, at, depth)


def _below(name: str, value: Any, place: _Place, path: KeyPath, depth: int, *, item: bool = False) -> Iterator[Line]:
    written = place.document.value(path)
    where = (place.file, place.document.line(path)) if written is not None else ("", 0)
    if isinstance(value, WebhookEntry):
        value = value.model_copy(update={"url": _site_of(value.url)})
    if isinstance(value, Section) and isinstance(written, Scalar) and "url" in type(value).model_fields:
        value = getattr(value, "url")  # noqa: B009  a list item that is an address alone
    if isinstance(value, Section):
        yield Line(depth, name, "", *where, item=item)
        yield from _section(value, place, path, depth + 1)
    elif isinstance(value, dict):
        yield Line(depth, name, "" if value else "{}", *where, item=item)
        for key, one in value.items():
            yield from _below(str(key), one, place, (*path, str(key)), depth + 1)
    elif isinstance(value, tuple) and any(isinstance(one, Section) for one in value):
        yield Line(depth, name, "", *where, item=item)
        for position, one in enumerate(value):
            yield from _below("", one, place, (*path, position), depth + 1, item=True)
    else:
        yield Line(depth, name, _text(name, value, written), *where, item=item)


def _text(name: str, value: Any, written: Any) -> str:
    if name.endswith("_file"):
        return redact(written.text) if isinstance(written, Scalar) else HIDDEN  # the value is what the file holds
    if isinstance(value, Secret):
        return HIDDEN
    if isinstance(value, Path):
        return str(value)
    if value is not None and _SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, tuple):
        return f"[{', '.join(_text(name, one, None) for one in value)}]"
    return redact(_plain(value))


def _plain(value: Any) -> str:
    if value is None:
        return _OFF
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return units.written(value) if value else _OFF
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, PushUrl):
        host = str(HostPort(value.host, value.port))
        return f"{'rtmps' if value.tls else 'rtmp'}://{host}/{value.app.partition('?')[0]}/{HIDDEN}"
    if isinstance(value, SourceUrl):
        return value.url
    return str(value)


def _site_of(url: str) -> str:
    """Where a webhook leads: Slack's, Discord's and Teams' have their secret in the path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/{HIDDEN}"


def _is_listener(section: Section, name: str) -> bool:
    """A listener that is off is worth a line."""
    return HostPort in getattr(type(section).model_fields[name].annotation, "__args__", ())
