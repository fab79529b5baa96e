"""hls-parser (npm) in its strict mode, a judge of playlists that is not ours."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from installed import absent

ROOT = Path(__file__).resolve().parents[2]
PLAYERS = ROOT / ".venv/players"


def complaints(playlists: Sequence[str]) -> list[str]:
    """What it says against `playlists`. Skips or fails the test where it is not installed."""
    node = shutil.which("node")
    if node is None or not (PLAYERS / "node_modules/hls-parser").is_dir():
        absent("hls-parser is not installed")
    assert node is not None
    told = "".join(json.dumps(text) + "\n" for text in playlists)
    command = [node, str(ROOT / "tests/npm/strict.mjs"), str(PLAYERS)]
    judge = subprocess.run(command, input=told, capture_output=True, text=True, check=True, timeout=60)
    assert not judge.stderr
    return judge.stdout.splitlines()
