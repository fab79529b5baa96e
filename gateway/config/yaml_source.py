"""YAML text to plain values that remember their line and how they were written.

PyYAML's composer does the reading; its constructor is not used. That keeps a password `012345` the text it is instead
of the octal number 5349, and no value can ever create an object. Pure; called by `load` on any thread.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import yaml

from gateway.config.findings import KeyPath

MAX_FILE_BYTES = 1_000_000
"""Some thousand cameras. More is not a configuration but the wrong file."""
MAX_VALUES = 50_000
"""Values after aliases are expanded; nine lines of aliases to aliases would otherwise become a billion."""
MAX_DEPTH = 20
"""The deepest legitimate value stands at depth 5; the composer calls itself once per level."""


class Kind(enum.Enum):
    """What YAML 1.1 takes an unquoted word for."""

    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    NULL = "null"


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value: its text as written, and what YAML makes of it. The text may be a secret, so it has no repr."""

    text: str = field(repr=False)
    kind: Kind = Kind.TEXT


Value = Scalar | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True)
class Document:
    """One file. `problems` are (line, path, message); `root` is what could be read in spite of them."""

    root: dict[str, Value]
    lines: dict[KeyPath, int]
    """Line of each key or list item."""
    problems: list[tuple[int, KeyPath, str]]

    def line(self, path: KeyPath) -> int:
        """Line of `path`, or of the closest key above it; the first line if there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def value(self, path: KeyPath) -> Value | None:
        """The value at `path`, None if there is none."""
        found: Value = self.root
        for part in path:
            try:
                found = found[part]  # type: ignore[index]  # a wrong kind of step raises as a missing one
            except (KeyError, IndexError, TypeError):
                return None
        return found


def read(data: bytes) -> Document:
    """Parse a file's bytes. Never raises: whatever is wrong is in `problems`."""
    reader = _Reader()
    try:
        reader.top(_decode(data))
    except _Refused as refused:
        reader.problems.append((refused.line, (), str(refused)))
    except yaml.MarkedYAMLError as error:
        reader.problems.append(_explain(error))
    return Document(reader.root, reader.lines, reader.problems)


class _Refused(Exception):
    """The whole file cannot be used."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def _decode(data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise _Refused(1, "larger than 1 MB, which no configuration is")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _Refused(1, "is stored as UTF-16: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refused(line, "holds a character that is not UTF-8: save it as UTF-8") from None
    odd = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        raise _Refused(line, f"holds the control character U+{ord(odd.group()):04X}: remove it")
    return text


class _Composer(yaml.SafeLoader):
    """SafeLoader up to its node graph, with a bound on nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # the stubs lack it
            raise _Refused(mark.line + 1, f"is nested more than {MAX_DEPTH} levels deep")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_TAG = "tag:yaml.org,2002:"
_KINDS = {
    _TAG + "str": Kind.TEXT,
    _TAG + "int": Kind.NUMBER,
    _TAG + "float": Kind.NUMBER,
    _TAG + "bool": Kind.BOOL,
    _TAG + "null": Kind.NULL,
    _TAG + "timestamp": Kind.TEXT,
    _TAG + "value": Kind.TEXT,  # a lone "=" in YAML 1.1
    _TAG + "merge": Kind.TEXT,  # a "<<" that is not a key
}
_MERGE = _TAG + "merge"


class _Reader:
    """Turns PyYAML's nodes into values and notes the lines."""

    def __init__(self) -> None:
        self.root: dict[str, Value] = {}
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[tuple[int, KeyPath, str]] = []
        self._values = 0
        self._open: set[int] = set()

    def top(self, text: str) -> None:
        composer = _Composer(text)
        try:
            node = composer.get_single_node()
        finally:
            composer.dispose()
        if node is None or (isinstance(node, yaml.ScalarNode) and _KINDS.get(node.tag) is Kind.NULL):
            return
        if not isinstance(node, yaml.MappingNode):
            raise _Refused(node.start_mark.line + 1, 'must hold "key: value" lines')
        value = self._mapping(node, ())
        self.root = value

    def _value(self, node: yaml.Node, path: KeyPath) -> Value:
        line = node.start_mark.line + 1
        self._values += 1
        if self._values > MAX_VALUES:
            raise _Refused(line, f"becomes more than {MAX_VALUES} values through its aliases")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if not node.tag.startswith(_TAG):
            self._refuse_tag(line, path)
        with self._inside(node):
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            items: list[Value] = []
            for position, item in enumerate(node.value):
                self.lines[(*path, position)] = item.start_mark.line + 1
                items.append(self._value(item, (*path, position)))
            return items

    @contextmanager
    def _inside(self, node: yaml.Node) -> Iterator[None]:
        """Aliases make depth that the composer does not see, and circles."""
        line = node.start_mark.line + 1
        if id(node) in self._open:
            raise _Refused(line, "an alias stands inside the value it repeats")
        if len(self._open) >= MAX_DEPTH:
            raise _Refused(line, f"is nested more than {MAX_DEPTH} levels deep through its aliases")
        self._open.add(id(node))
        yield
        self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Scalar:
        kind = _KINDS.get(node.tag)
        if kind is None:
            self._refuse_tag(node.start_mark.line + 1, path)
        return Scalar(str(node.value), kind or Kind.TEXT)

    def _refuse_tag(self, line: int, path: KeyPath) -> None:
        self.problems.append((line, path, 'YAML tags are not used here: put a value that starts with "!" in quotes'))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Value]:
        values: dict[str, Value] = {}
        own: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == _MERGE:
                self._merge(value_node, path, values, own)
                continue
            if not isinstance(key_node, yaml.ScalarNode) or _KINDS.get(key_node.tag) in (None, Kind.NULL):
                self.problems.append((line, path, "a key must be a plain word"))
                continue
            key = str(key_node.value)
            if key in own:
                self.problems.append((line, (*path, key), f"given twice, first on line {own[key]}"))
                continue
            own[key] = line
            if values.pop(key, None) is not None:  # from "<<"
                for below in [known for known in self.lines if known[: len(path) + 1] == (*path, key)]:
                    del self.lines[below]
            self.lines[(*path, key)] = line
            values[key] = self._value(value_node, (*path, key))
        return values

    def _merge(self, node: yaml.Node, path: KeyPath, values: dict[str, Value], own: dict[str, int]) -> None:
        """`<<: *other` takes over the keys that are not given here."""
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for source in sources:
            if not isinstance(source, yaml.MappingNode):
                self.problems.append((node.start_mark.line + 1, path, '"<<" takes over a mapping, which this is not'))
                continue
            aside = _Reader()
            aside._open, aside._values = self._open, self._values
            with self._inside(source):
                merged = aside._mapping(source, path)
            self._values = aside._values
            for key, value in merged.items():
                if key not in own and key not in values:
                    values[key] = value
                    self.lines.update({at: line for at, line in aside.lines.items() if at[len(path)] == key})


def _explain(error: yaml.MarkedYAMLError) -> tuple[int, KeyPath, str]:
    """PyYAML's complaint in words for somebody who does not know its grammar, and without its quotes from the file."""
    problem, context = error.problem or "", error.context or ""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    for pattern, message, at_context in _EXPLANATIONS:
        if re.search(pattern, f"{context} | {problem}"):
            if at_context and error.context_mark:
                line = error.context_mark.line + 1
            return line, (), message
    return line, (), "is not YAML: check the indentation, and put values with special characters in quotes"


_EXPLANATIONS: tuple[tuple[str, str, bool], ...] = (
    (r"'\\t'", "holds a tab: indent with spaces", False),
    (r"cannot start any token", "a value that starts with @, % or ` must be in quotes", False),
    (r"undefined alias|scanning an alias", 'a value that starts with "*" must be in quotes', False),
    (r"scanning an anchor|duplicate anchor", 'a value that starts with "&" must be in quotes', False),
    (r"tag handle|scanning a tag|parsing a tag", 'a value that starts with "!" must be in quotes', False),
    (r"single document", 'only one document fits in a file: remove the second "---"', False),
    (r"quoted scalar .*unexpected end", "the quote that opens here is never closed", True),
    (r"unknown escape", "between double quotes a backslash is written twice: use single quotes instead", False),
    (r"mapping values are not allowed", 'a colon too many: put a value that holds ": " in quotes', False),
    (r"could not find expected ':'", 'here a "key: value" was expected, and the colon is missing', True),
    (r"flow (mapping|sequence)", "the bracket that opens here is not closed properly", True),
    (r"block (mapping|collection|sequence)", "the indentation does not fit the lines above", False),
)
"""What PyYAML says (context | problem), what a user is told, and whether the context's line is the one to look at."""
