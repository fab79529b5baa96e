"""QR codes: what a phone's camera reads from them is what was put in."""

from __future__ import annotations

import re

import pytest

from gateway.web import qr


def test_a_code_is_dark_on_white_with_room_around_it():
    drawing = qr.svg("https://192.168.1.2:8443/watch/front-door?token=abc").decode()
    assert drawing.startswith("<svg")
    assert 'fill="#fff"' in drawing
    assert 'stroke="#000"' in drawing
    assert "<script" not in drawing
    assert re.search(r'd="M4 4\.5', drawing), "the first dark module stands four modules in"


def test_the_longest_address_fits():
    assert qr.svg("x" * qr.MAX_TEXT_BYTES)
    with pytest.raises(ValueError, match="600 bytes"):
        qr.svg("x" * (qr.MAX_TEXT_BYTES + 1))
