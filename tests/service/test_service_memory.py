"""What the process does once for its memory."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from gateway import memory
import gateway.media.stream
before = len(gc.get_objects())
memory.freeze()
assert gc.get_freeze_count() >= before // 2 and len(gc.get_objects()) < before // 2
"""


def test_collections_do_not_walk_through_the_modules_while_frames_wait():
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
