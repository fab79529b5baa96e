"""What is installed is exactly what was locked, from wherever a machine gets its packages."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def pins(lock: Path) -> dict[str, str]:
    """Name to version; every entry must be an exact version with hashes."""
    found = {}
    for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8")):
        if entry.startswith("#"):
            continue
        head, *hashes = entry.strip().split(" \\\n")
        requirement = Requirement(head)
        specifiers = list(requirement.specifier)
        assert [one.operator for one in specifiers] == ["=="], head
        assert hashes, head
        assert all(re.fullmatch(r" {4}--hash=sha256:[0-9a-f]{64}", one) for one in hashes), head
        found[canonicalize_name(requirement.name)] = specifiers[0].version
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_entry_has_hashes_and_no_file_has_an_address(lock: Path) -> None:
    assert pins(lock)
    text = lock.read_text(encoding="utf-8")
    for address in ("://", "--index", "--extra-index", "--find-links", "--trusted", " @ ", "file:", "/tmp", "/home"):
        assert address not in text


def test_the_runtime_lock_holds_what_pyproject_asks_for() -> None:
    locked = pins(ROOT / "requirements.lock")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for line in project["project"]["dependencies"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), line


@pytest.mark.parametrize("name", ["build", "npm", "test"])
def test_the_other_locks_hold_what_their_sources_ask_for(name: str) -> None:
    locked = pins(ROOT / f"requirements-{name}.lock")
    for line in (ROOT / f"requirements-{name}.in").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            requirement = Requirement(line)
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), line


def test_test_packages_never_replace_a_runtime_version() -> None:
    runtime = pins(ROOT / "requirements.lock")
    for name, version in pins(ROOT / "requirements-test.lock").items():
        assert runtime.get(name, version) == version


@pytest.mark.parametrize("folder", [ROOT, ROOT / "tests/npm"], ids=["wall", "tests"])
def test_the_npm_lock_has_checksums_and_no_addresses(folder: Path) -> None:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for path, package in packages.items():
        assert "resolved" not in package
        assert not path or package["integrity"].startswith("sha512-")
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert "://" not in (folder / "package-lock.json").read_text(encoding="utf-8")
