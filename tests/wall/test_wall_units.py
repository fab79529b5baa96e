"""Runs the unit tests of the browser modules with node's own test runner."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parent / "units"
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "web" / "static" / "js"


@pytest.mark.parametrize("script", sorted(path.name for path in UNITS.glob("*.test.mjs")))
def test_browser_module_keeps_its_promises(script: str) -> None:
    node = shutil.which("node")
    assert node, "node is needed for the tests of the wall's scripts"
    command = [node, "--test", str(UNITS / script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pages_hold_no_inline_script_style_or_foreign_address() -> None:
    """The security policy forbids them, and a site without internet must look the same."""
    templates = SCRIPTS.parents[1] / "templates"
    for page in templates.glob("*.html"):
        text = page.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), page.name
        assert not re.search(r"<style|\bstyle=|\bon[a-z]+=", text), page.name
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", text), page.name


def test_every_imported_module_exists() -> None:
    for script in SCRIPTS.glob("*.js"):
        for target in re.findall(r"""from ["'](\./[^"']+)["']""", script.read_text()):
            assert (SCRIPTS / target).exists(), f"{script.name} imports {target}"


def test_every_reason_of_a_camera_is_translated() -> None:
    """A Chinese wall showed an English sentence on the tile of a camera that was late."""
    source = "".join(path.read_text() for path in (*(ROOT / "gateway/sources").glob("*.py"), ROOT / "gateway/errors.py"))
    codes = set(re.findall(r'\bcode(?:: ClassVar\[str\])? ?= ?"([a-z-]+)"', source))
    assert {"late", "stalled", "wrong-credentials", "failed"} <= codes
    for language in ("en", "zh"):
        table = (SCRIPTS / f"strings.{language}.js").read_text()
        assert {code for code in codes if f'"code.{code}"' not in table} == set(), language
