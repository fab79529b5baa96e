"""QR codes for addresses. Pure.

Drawn on this box, because an address may carry the viewing token and must not reach a service elsewhere.
"""

from __future__ import annotations

import io

import segno

MAX_TEXT_BYTES = 600
"""The longest address with names and token stays below half of it; more modules could not be read from a screen."""
QUIET_MODULES = 4
"""ISO/IEC 18004: scanners need so much white around the code."""


def svg(text: str) -> bytes:
    """The code as an SVG document, dark on white because phones read inverted codes badly. ValueError if not 1 to 600 bytes."""
    if not 0 < len(text.encode()) <= MAX_TEXT_BYTES:
        raise ValueError(f"text must have 1 to {MAX_TEXT_BYTES} bytes")
    drawing = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(drawing, kind="svg", border=QUIET_MODULES, dark="#000", light="#fff", xmldecl=False, omitsize=True)
    return drawing.getvalue()
