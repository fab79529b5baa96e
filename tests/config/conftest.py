"""A folder to write configurations in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from gateway.config.load import load
from gateway.config.model import Config
from gateway.errors import ConfigError


class Folder:
    """config.yaml and what stands beside it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.environ: dict[str, str] = {}

    def write(self, text: str, name: str = "config.yaml") -> Path:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file

    def load(self, text: str) -> Config:
        return load(self.write(text), self.environ)

    def findings(self, text: str) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            self.load(text)
        return caught.value.findings


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def findings(folder: Folder) -> Callable[[str], list[str]]:
    return folder.findings
