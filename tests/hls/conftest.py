"""Makes this folder's own modules (the synthetic camera) and the test bed's (the linter) importable by its tests."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "testbed")]
