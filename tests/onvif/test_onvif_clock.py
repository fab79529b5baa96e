"""The camera's clock."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.sax.saxutils import escape

import pytest

from gateway.onvif import clock, reader
from gateway.onvif.session import Session


def utc(*parts):
    return datetime(*parts, tzinfo=UTC).timestamp()


def reply(date, time, element="UTCDateTime", zone=""):
    year, month, day = date
    hour, minute, second = time
    return reader.parse(
        f"<R><D><TimeZone><TZ>{escape(zone)}</TZ></TimeZone><{element}><Time><Hour>{hour}</Hour><Minute>{minute}</Minute>"
        f"<Second>{second}</Second></Time><Date><Year>{year}</Year><Month>{month}</Month><Day>{day}</Day></Date>"
        f"</{element}></D></R>".encode()
    )


@pytest.mark.quirk(39)
@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ((2026, 1, 2), (3, 4, 5), utc(2026, 1, 2, 3, 4, 5)),
        ((2026, 1, 2), (0, 61, 16), utc(2026, 1, 2, 1, 1, 16)),
        ((2026, 1, 2), (24, 0, 0), utc(2026, 1, 3)),
        ((2025, 13, 1), (0, 0, 0), utc(2026, 1, 1)),
        ((2026, 2, 30), (0, 0, 60), utc(2026, 3, 2, 0, 1)),
        ((0, 0, 0), (0, 0, 0), None),
        ((2026, 99, 1), (0, 0, 0), None),
        (("", "", ""), ("", "", ""), None),
    ],
)
def test_dates_that_cameras_send(date, time, expected):
    assert clock.camera_time(reply(date, time)) == expected


@pytest.mark.parametrize(("zone", "hours"), [("CST-8", 8), ("EST5EDT", -5), ("<+03>-03:30", 3.5), ("UTC", 0), ("", 0)])
def test_local_time_with_a_zone_when_utc_is_missing(zone, hours):
    node = reply((2026, 1, 2), (12, 0, 0), "LocalDateTime", zone)
    assert clock.camera_time(node) == utc(2026, 1, 2, 12) - hours * 3600


def test_http_date():
    assert clock.http_date("Fri, 02 Jan 2026 03:04:05 GMT") == utc(2026, 1, 2, 3, 4, 5)
    assert clock.http_date("yesterday") is None
    assert clock.http_date(None) is None


@pytest.mark.parametrize(
    ("offset", "zone_like"),
    [(8 * 3600, True), (-5.5 * 3600 + 3, True), (0.4, False), (-20, False), (400, False), (86400 * 30, False)],
)
def test_offsets_of_a_time_zone(offset, zone_like):
    assert clock.is_zone_like(offset) is zone_like


def test_zulu_has_whole_seconds():
    assert clock.zulu(utc(2026, 1, 2, 3, 4, 5) + 0.9) == "2026-01-02T03:04:05Z"


def test_a_gateway_whose_clock_is_set_keeps_signing_with_the_camera_s_time():
    """The camera's clock has not moved: an hour's difference would be a wrong password to it, and a locked account."""
    wall, steady = [1_700_000_000.0], [50.0]
    session = Session("cam", None, transport=None, now=lambda: wall[0], monotonic=lambda: steady[0])
    assert session.offset_s == 0
    session.offset_s = 7.0
    assert session.offset_s == 7
    wall[0] += 3610
    steady[0] += 10
    assert session.offset_s == 7 - 3600
    assert wall[0] + session.offset_s == 1_700_000_017
