"""docs/configuration.md against the schema: every key, its default, its range and its example."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

import pytest
import yaml

from gateway.config import units
from gateway.config.addresses import HostPort
from gateway.config.diff import APPLIED
from gateway.config.fields import Section
from gateway.config.load import load
from gateway.config.schema import ConfigFile
from gateway.errors import ConfigError
from gateway.http.addresses import BoxNames
from gateway.http.certificates import Certificates

PAGE = "docs/configuration.md"
NOTHING = "—"
ID = "<id>"
RANGE = re.compile(r"(\S+) to (\S+)")
URL = "rtsp://192.168.10.216/live"


def _keys(section: type[Section], path: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, default) of everything that can be written below a section."""
    for name, field in section.model_fields.items():
        key = f"{path}.{name}" if path else name
        inner = field.annotation
        if get_origin(inner) is UnionType:
            inner = get_args(inner)[0]
        if get_origin(inner) is dict:
            yield from _keys(get_args(inner)[1], f"{key}.{ID}")
            continue
        if get_origin(inner) is tuple and _is_section(get_args(inner)[0]):
            yield key, ()
            yield from _keys(get_args(inner)[0], f"{key}[]")
            continue
        if _is_section(inner):
            if field.default is None:
                yield key, None
            yield from _keys(inner, key)
            continue
        yield key, None if field.is_required() else field.default


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _written(key: str, default: Any) -> str:
    """A default as the page writes it."""
    if key == "data_dir":
        return "data"  # the loader's, beside config.yaml
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, Enum):
        return str(default.value)
    if isinstance(default, float):
        return "60s" if default == 60 else units.written(default)
    return str(default) if isinstance(default, HostPort | str) else NOTHING


def _documented(pages: dict[str, Any]) -> dict[str, list[str]]:
    return {row[0].strip("`"): row for row in pages[PAGE].rows("Key")}


def test_every_key_is_documented_and_no_other(pages: dict[str, Any]) -> None:
    assert sorted(_documented(pages)) == sorted(key for key, _ in _keys(ConfigFile))


def test_defaults_are_those_of_the_schema(pages: dict[str, Any]) -> None:
    documented = _documented(pages)
    wrong = {
        key: (documented[key][1], _written(key, default))
        for key, default in _keys(ConfigFile)
        if documented[key][1].strip("`") != _written(key, default)
    }
    assert not wrong


def test_examples_are_accepted(pages: dict[str, Any], tmp_path: Path) -> None:
    for name in ("cameras.password", "yard.password", "nvr.password", "hook.secret", "gateway-ca.crt", "cameras-ca.crt"):
        (tmp_path / name).write_text("12345\n")
    Certificates(tmp_path, names=lambda: BoxNames(("localhost",), ())).ensure()
    for name in ("fullchain.pem", "privkey.pem"):
        (tmp_path / name).write_bytes((tmp_path / "tls" / "server.pem").read_bytes())
    for key, row in _documented(pages).items():
        assert _findings(tmp_path, _file_with(key, row[3].strip("`"))) == [], key


def test_ranges_are_those_of_the_schema(pages: dict[str, Any], tmp_path: Path) -> None:
    ranges = {key: RANGE.fullmatch(row[2]) for key, row in _documented(pages).items() if RANGE.fullmatch(row[2])}
    assert len(ranges) == 10
    for key, match in ranges.items():
        assert match is not None
        least, most = (units.seconds(end) for end in match.groups())
        for value_s, inside in ((least, True), (most, True), (least * 0.99, False), (most * 1.01, False)):
            findings = _findings(tmp_path, _file_with(key, f"{value_s:.3f}s"))
            assert any("must be between" in one for one in findings) is not inside, (key, value_s)


@pytest.mark.parametrize(
    "name", ["README.md", "README.zh-CN.md", PAGE, "docs/pushing.md", "docs/nvr.md", "docs/monitoring.md", "docs/users.md"]
)
def test_whole_examples_are_accepted(pages: dict[str, Any], tmp_path: Path, name: str) -> None:
    blocks = pages[name].blocks("yaml")
    assert blocks
    for block in blocks:
        assert _findings(tmp_path, block) == []


def test_what_a_reload_does_is_said_for_every_section(pages: dict[str, Any]) -> None:
    section = pages[PAGE].text.partition("## Reloading")[2].partition("\n## ")[0]
    for name in ConfigFile.model_fields.keys() - {"cameras"}:
        assert re.search(rf"`{name}(\.\w+)?`", section), name
    (restart,) = re.findall(r"^\| (.*) \| needs a restart", section, re.MULTILINE)
    assert restart == "`data_dir`"
    assert ConfigFile.model_fields.keys() - APPLIED - {"cameras"} == {"data_dir"}


def _file_with(key: str, value: str) -> str:
    """A configuration in which `key` has `value`, with what must stand beside it."""
    parsed = yaml.safe_load(value)
    top: dict[str, Any] = {}
    at: Any = top
    *above, last = key.replace("[]", ".[]").split(".")
    for part in above:
        if part == "[]":
            continue
        at = at.setdefault("c" if part == ID else part, {})
    at[last] = parsed
    if "discovery.credentials[]" in key:
        entry = top["discovery"].pop("credentials")
        entry.setdefault("username", "admin")
        if not {"password", "password_file"} & entry.keys():
            entry["password"] = "x"
        top["discovery"]["credentials"] = [entry]
    if isinstance(top.get("webhooks"), dict):
        top["webhooks"] = [{"url": "https://alerts.example/", **top["webhooks"]}]
    if key == "tls.key":
        top["tls"]["certificate"] = "fullchain.pem"
    if key == "tls.certificate":
        top["tls"]["key"] = "privkey.pem"
    if "onvif" in top:
        top["onvif"].setdefault("username", "nvr")
        if not {"password", "password_file"} & top["onvif"].keys():
            top["onvif"]["password"] = "x"
        top["listen"] = {"rtsp": "0.0.0.0:8554"}
    if ".push[]." in key:
        (camera,) = top["cameras"].values()
        scheme = "rtmps" if last in ("verify", "ca_file", "fingerprint") else "rtmp"
        camera["push"] = [{"url": f"{scheme}://media.example/live/yard", **camera["push"]}]
        camera["address"] = "192.168.10.215"
    if "users" in top:
        user = top["users"]["c"]
        user.setdefault("password_hash", f"scrypt:32768:8:1$salt${'0' * 128}")
        user.setdefault("role", "viewer")
        top["cameras"] = {name: {"rtsp": URL, "group": "Outside"} for name in ("gate", "yard")}
    if key.startswith("auth.proxy."):
        top["auth"]["proxy"].setdefault("addresses", ["127.0.0.1"])
    if "views" in top:
        top["views"]["c"].setdefault("cameras", ["gate"])
        top["cameras"] = {name: {"rtsp": URL} for name in top["views"]["c"]["cameras"]}
    elif "c" in top.get("cameras", {}):
        _complete_camera(top["cameras"]["c"], last)
    return yaml.safe_dump(top)


def _complete_camera(camera: dict[str, Any], key: str) -> None:
    if key in ("profile", "sub_profile"):
        camera["address"] = "192.168.10.215"
    elif not {"address", "rtsp", "publish"} & camera.keys():
        camera["rtsp"] = URL.replace("rtsp:", "rtsps:") if key in ("verify", "ca_file", "fingerprint") else URL
    if key == "second":
        camera["publish"]["key"] = "x"
    if key in ("password", "password_file"):
        camera["username"] = "admin"


def _findings(folder: Path, text: str) -> list[str]:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    try:
        load(folder / "config.yaml", _AnyVariable())
    except ConfigError as error:
        return error.findings
    return []


class _AnyVariable(dict[str, str]):
    """An environment in which every variable is set."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "a-secret"
