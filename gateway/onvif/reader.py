"""Reads the XML that cameras really send: unknown prefixes, garbage before the prolog, wrong bytes, no namespaces.

Everything is matched by local name, because prefixes and namespaces are what firmware gets wrong most often
(undeclared `Ter:`, missing `xmlns`). The result is a small immutable tree, so that lxml stays in this module.
Pure; any thread. A document type declaration is refused: no ONVIF message has one, and entities are an attack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree  # type: ignore[import-untyped]  # ships no types; confined to this module

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024
"""Far above the largest answer seen (GetProfiles of a 64-channel recorder, about 600 kB)."""
MAX_ELEMENTS = 60_000
"""A 2 MB body of empty elements would become 100 MB of tree."""

_BEGIN = re.compile(rb"<\?xml|<(?:[A-Za-z_][\w.-]*:)?Envelope[\s>]")
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_DECLARATION = re.compile(rb"^<\?xml[^>]*\?>")
_FOREIGN_ENCODING = re.compile(rb"encoding\s*=\s*[\"'](?!utf-?8)", re.IGNORECASE)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Node:
    """One element: local name, attributes by local name, its own text without surrounding space, child elements."""

    name: str
    attributes: dict[str, str]
    text: str
    children: tuple[Node, ...]
    namespace: str = ""
    """Only for what must go back as it came (WS-Addressing reference parameters); nothing is matched by it."""

    def child(self, name: str) -> Node | None:
        """The first child element of that local name (letter case does not matter)."""
        wanted = name.lower()
        for child in self.children:
            if child.name.lower() == wanted:
                return child
        return None

    def all(self, name: str) -> tuple[Node, ...]:
        """All child elements of that local name."""
        wanted = name.lower()
        return tuple(child for child in self.children if child.name.lower() == wanted)

    def at(self, *path: str) -> Node | None:
        """The element reached by following first children."""
        node: Node | None = self
        for name in path:
            node = node.child(name) if node is not None else None
        return node

    def text_at(self, *path: str) -> str:
        """Text of the element at `path`; empty if it does not exist."""
        node = self.at(*path)
        return node.text if node is not None else ""

    def number_at(self, *path: str) -> float:
        """Number at `path`; 0 if there is none. Cameras write `25`, `25.0` and `25 fps`."""
        match = re.match(r"[+-]?\d+(?:\.\d+)?", self.text_at(*path))
        return float(match.group()) if match else 0.0

    def walk(self) -> Iterator[Node]:
        """This element and all below it, in document order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def find(self, name: str) -> Node | None:
        """The first element of that local name anywhere in this tree."""
        wanted = name.lower()
        return next((node for node in self.walk() if node.name.lower() == wanted), None)


def parse(data: bytes) -> Node | None:
    """The document in `data`. Never raises: None if it is no XML, too large, or has a document type declaration."""
    if len(data) > MAX_DOCUMENT_BYTES:
        return None
    data = _repaired(data)
    if not data or _DOCTYPE.search(data):
        return None
    parser = etree.XMLParser(
        recover=True,  # undeclared prefixes, unclosed elements: HA PR #30152
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError):
        return None
    return None if root is None else _convert(root)


def _repaired(data: bytes) -> bytes:
    """`data` from its XML beginning, as UTF-8 unless it declares another encoding."""
    if data[:2] in _UTF16_MARKS:
        text = data.decode("utf-16", errors="replace").lstrip("\ufeff")
        data = _DECLARATION.sub(b"", text.encode("utf-8", errors="replace"))
    data = data.replace(b"\0", b"")  # new Tapo firmware pads with NUL bytes (go2rtc PR #1589)
    begin = _BEGIN.search(data)
    if begin is not None:
        data = data[begin.start() :]
    if not _FOREIGN_ENCODING.search(data[:200]):
        # Invalid UTF-8 in a device's name would end libxml2's recovery in the middle of the document.
        data = data.decode("utf-8", errors="replace").encode("utf-8")
    return data


def _convert(root: etree._Element) -> Node | None:
    """lxml's tree as ours, without recursion; None if it has too many elements."""
    order: list[etree._Element] = []
    for element in root.iter():
        if isinstance(element.tag, str):  # not an unresolved entity
            order.append(element)
            if len(order) > MAX_ELEMENTS:
                return None
    done: dict[etree._Element, Node] = {}
    for element in reversed(order):
        children = tuple(done.pop(child) for child in element if child in done)
        attributes = {_local(name): value for name, value in element.attrib.items()}
        namespace = element.tag[1:].partition("}")[0] if element.tag.startswith("{") else ""
        done[element] = Node(_local(element.tag), attributes, (element.text or "").strip(), children, namespace)
    return done.get(root)


def _local(name: str) -> str:
    """`{namespace}Name`, `prefix:Name` (undeclared prefix) or `Name` as `Name`."""
    return name.rpartition("}")[2].rpartition(":")[2]
