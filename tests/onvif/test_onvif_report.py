"""What `gateway discover` prints."""

from __future__ import annotations

import json

from gateway.onvif import report
from gateway.onvif.wsdiscovery import Device

GATE = Device("urn:uuid:1", "10.0.0.1", ("http://10.0.0.1/onvif",), name="Gate\x1b[2J", hardware="C1")


def test_table_has_a_line_per_device():
    lines = report.table([GATE, Device("urn:uuid:22", "10.0.0.22", ())]).splitlines()
    assert lines[0].split() == ["ADDRESS", "NAME", "HARDWARE", "ENDPOINT", "XADDR"]
    assert lines[1].split() == ["10.0.0.1", "Gate[2J", "C1", "urn:uuid:1", "http://10.0.0.1/onvif"]
    assert lines[2].split() == ["10.0.0.22", "-", "-", "urn:uuid:22", "-"]
    assert lines[1].index("urn:") == lines[2].index("urn:")


def test_nothing_found_is_said():
    assert report.table([]) == "No ONVIF device answered."


def test_json_is_a_list_of_objects():
    (entry,) = json.loads(report.as_json([GATE]))
    assert entry["address"] == "10.0.0.1"
    assert entry["xaddrs"] == ["http://10.0.0.1/onvif"]
    assert json.loads(report.as_json([])) == []
