from __future__ import annotations

import logging

from gateway.rtmp.complaints import Complaints


def test_a_scanner_gets_one_line_a_minute_with_a_count(caplog):
    complaints = Complaints(logging.getLogger("test.rtmp"))
    for second in range(61):
        complaints.add("10.0.0.9", float(second), "closed: no handshake in time")
    complaints.add("10.0.0.9", 61.0, "something else")
    complaints.add("10.0.0.8", 61.0, "something else")
    assert [record.getMessage() for record in caplog.records] == [
        "rtmp 10.0.0.9: closed: no handshake in time",
        "rtmp 10.0.0.9: closed: no handshake in time (and 59 times more before)",
        "rtmp 10.0.0.9: something else",
        "rtmp 10.0.0.8: something else",
    ]


def test_memory_is_bounded(caplog):
    complaints = Complaints(logging.getLogger("test.rtmp"))
    for number in range(1000):
        complaints.add(f"10.0.{number >> 8}.{number & 255}", 0.0, "x")
    assert len(complaints._heard) <= 256
    assert len(caplog.records) == 1000
