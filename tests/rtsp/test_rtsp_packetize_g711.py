"""RFC 3551 G.711 payloads."""

from __future__ import annotations

from gateway.rtsp.packetize_g711 import packetize_g711


def test_samples_travel_as_they_are() -> None:
    assert packetize_g711(b"abcd") == [b"abcd"]
    assert packetize_g711(b"") == []


def test_a_long_frame_is_cut() -> None:
    assert packetize_g711(b"abcdefgh", 3) == [b"abc", b"def", b"gh"]
