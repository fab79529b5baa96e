"""The documentation as data: its headings, tables and code blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "README.zh-CN.md", "CHANGELOG.md", "docs/troubleshooting.md", "docs/configuration.md", "docs/api.md",
         "docs/simulator.md", "docs/pushing.md", "docs/rtmp.md", "docs/wall.md", "docs/nvr.md",
         "docs/monitoring.md", "docs/installation.md", "docs/users.md")  # fmt: skip
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_CELL_BORDER = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    name: str
    text: str

    def blocks(self, language: str) -> list[str]:
        """Fenced code blocks of a language."""
        return [body for found, body in _BLOCK.findall(self.text) if found == language]

    def prose(self) -> str:
        """Everything outside of code blocks."""
        return _BLOCK.sub("", self.text)

    def rows(self, first_heading: str) -> list[list[str]]:
        """Cells of all tables whose first column has this heading."""
        rows = []
        for table in _TABLE.findall(self.prose()):
            head, _, *body = ([cell.strip() for cell in _CELL_BORDER.split(line)[1:-1]] for line in table.splitlines())
            if head[0] == first_heading:
                rows += body
        return rows


@pytest.fixture(scope="session")
def pages() -> dict[str, Page]:
    """All pages by name."""
    return {name: Page(name, (ROOT / name).read_text(encoding="utf-8")) for name in PAGES}
