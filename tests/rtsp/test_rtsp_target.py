"""Every way a client spells a track's address leads to the same track."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.target import Target, content_base, parse_target


@pytest.mark.parametrize(
    ("uri", "target"),
    [
        ("rtsp://h:554/x", Target("/x")),
        ("rtsp://h/x/", Target("/x")),
        ("rtsp://h", Target("/")),
        ("*", Target("/*")),
        ("/x/trackID=1", Target("/x", track_id=1)),
        ("rtsp://h/x/trackID=1", Target("/x", track_id=1)),
        ("rtsp://h/x//trackID=1/", Target("/x", track_id=1)),
        ("RTSP://h/x/trackid=1", Target("/x", track_id=1)),
        ("rtsp://user:secret@h/Streaming/Channels/101", Target("/Streaming/Channels/101")),
        ("rtsp://h/cam/realmonitor?channel=1&subtype=0", Target("/cam/realmonitor", "channel=1&subtype=0")),
        ("rtsp://h/cam/?channel=1&subtype=0/trackID=0", Target("/cam", "channel=1&subtype=0", 0)),
        ("rtsp://h/cam?channel=1/trackID=0", Target("/cam", "channel=1", 0)),
        ("rtsp://[::1]:554/a%20b", Target("/a b")),
    ],
)
def test_targets(uri: str, target: Target) -> None:
    assert parse_target(uri) == target


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0xFF), max_size=80))
def test_any_uri_is_a_target(uri: str) -> None:
    assert parse_target(uri).path.startswith("/")


@pytest.mark.parametrize(
    ("uri", "base"),
    [
        ("rtsp://h/x", "rtsp://h/x/"),
        ("rtsp://h/x/", "rtsp://h/x/"),
        ("rtsp://user:secret@h:554/x?a=1", "rtsp://h:554/x/?a=1"),
    ],
)
def test_content_base_ends_in_a_slash_and_holds_no_password(uri: str, base: str) -> None:
    assert content_base(uri) == base
