"""Makes this folder's own module (the camera of numbers, the page that is no browser) importable by its tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from paper_page import Clock


@pytest.fixture
def clock() -> Clock:
    """Seconds that pass when told to."""
    return Clock()
