"""Headings of the troubleshooting page are messages of the program: each must still be said somewhere in the source."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path
from typing import Any

from gateway.errors import SourceError

ROOT = Path(__file__).parents[2]
GAP = "…"
"""What differs between two occurrences of a message."""
MIN_TELLING_CHARS = 10
"""A heading needs one fixed part of this length to be recognised at all."""
MIN_PART_CHARS = 4
"""Shorter parts, such as ": ", prove nothing."""

_HEADING = re.compile(r"^### (`+)(.+?)\1$", re.MULTILINE)
_PERCENT = re.compile(r"%[-+ 0]*\d*(?:\.\d+)?[sdfr]")
_BRACES = re.compile(r"\{[^{}]*\}")
_JS_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SHELL_VALUE = re.compile(r"\$(?:\{[^}]*\}|\w+|\*|@)")


class _Templates(ast.NodeVisitor):
    """String constants and f-strings of a module, with a gap for every placeholder."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.found.append("".join(part.value if isinstance(part, ast.Constant) else GAP for part in node.values))

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bytes):
            self.found.append(node.value.decode("utf-8", "replace"))
        elif isinstance(node.value, str):
            self.found.append(_BRACES.sub(GAP, _PERCENT.sub(GAP, node.value)))


def _source() -> list[str]:
    """Everything the program can say."""
    said: list[str] = []
    for file in (ROOT / "gateway").rglob("*.py"):
        templates = _Templates()
        templates.visit(ast.parse(file.read_text(encoding="utf-8")))
        said += templates.found
    strings = (ROOT / "web/static/js/strings.en.js").read_text(encoding="utf-8")
    said += [_BRACES.sub(GAP, text.replace(r"\"", '"')) for text in _JS_STRING.findall(strings)]
    said += [html.unescape(file.read_text(encoding="utf-8")) for file in (ROOT / "web/templates").glob("*.html")]
    for script in (ROOT / "install.sh", *sorted((ROOT / "install").glob("*.sh"))):
        said.append(_SHELL_VALUE.sub(GAP, script.read_text(encoding="utf-8").replace(r"\"", '"')))
    return [" ".join(text.split()) for text in said]


def _parts(heading: str) -> list[str]:
    parts = (part.strip(" :;") for part in heading.split(GAP))
    return [part for part in parts if len(part) >= MIN_PART_CHARS]


def test_every_heading_is_still_a_message_of_the_program(pages: dict[str, Any]) -> None:
    said = _source()
    headings = [found[1] for found in _HEADING.findall(pages["docs/troubleshooting.md"].text)]
    assert len(headings) > 100
    lost = [
        f"{heading!r}: no source says {part!r}"
        for heading in headings
        for part in _parts(heading)
        if not any(part in text for text in said)
    ]
    assert not lost, "\n".join(lost)


def test_every_heading_says_enough_to_be_found_by_searching(pages: dict[str, Any]) -> None:
    headings = [found[1] for found in _HEADING.findall(pages["docs/troubleshooting.md"].text)]
    empty = [one for one in headings if not any(len(part) >= MIN_TELLING_CHARS for part in _parts(one))]
    short = {"the … ended: …", "does not exist", "… belongs to …", "… stopped sending"}
    assert set(empty) <= short


def test_no_heading_stands_twice(pages: dict[str, Any]) -> None:
    headings = [found[1] for found in _HEADING.findall(pages["docs/troubleshooting.md"].text)]
    assert len(headings) == len(set(headings))


def test_every_reason_a_camera_is_away_is_explained(pages: dict[str, Any]) -> None:
    """The sentences of `diagnosis` and `rtsp` are what users see on a tile."""
    text = pages["docs/troubleshooting.md"].text
    headings = [found[1] for found in _HEADING.findall(text)]
    missing = []
    for module in ("diagnosis", "rtsp"):
        tree = ast.parse((ROOT / f"gateway/sources/{module}.py").read_text(encoding="utf-8"))
        leaves = {leaf.__name__ for leaf in SourceError.__subclasses__()}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in leaves and node.args:
                templates = _Templates()
                templates.visit(node.args[0])
                parts = [part for one in templates.found for part in _parts(one)]
                if parts and not any(all(part in heading for part in parts) for heading in headings):
                    missing.append(templates.found)
    assert not missing


def test_every_code_of_the_api_is_explained(pages: dict[str, Any]) -> None:
    documented = {row[0].strip("`") for row in pages["docs/api.md"].rows("`code`")}
    assert {leaf.code for leaf in SourceError.__subclasses__()} <= documented
