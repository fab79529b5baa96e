"""What `gateway discover` prints: a table for people, JSON for scripts. Pure; any thread."""

from __future__ import annotations

import json
from collections.abc import Sequence

from gateway.onvif.wsdiscovery import Device
from gateway.redact import redact

_COLUMNS = ("ADDRESS", "NAME", "HARDWARE", "ENDPOINT", "XADDR")


def table(devices: Sequence[Device]) -> str:
    """One line per device under a heading; a sentence if there is none."""
    if not devices:
        return "No ONVIF device answered."
    rows = [_COLUMNS, *(_row(device) for device in devices)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(device: Device) -> tuple[str, str, str, str, str]:
    xaddr = redact(device.xaddrs[0]) if device.xaddrs else "-"
    cells = (device.address or "-", device.name or "-", device.hardware or "-", device.endpoint, xaddr)
    address, name, hardware, endpoint, service = (_printable(cell) for cell in cells)
    return address, name, hardware, endpoint, service


def _printable(text: str) -> str:
    """Without control characters: a device's name must not write to the terminal."""
    return "".join(ch for ch in text if ch.isprintable())


def as_json(devices: Sequence[Device]) -> str:
    """A list of objects with the fields of `Device`."""
    return json.dumps(
        [
            {
                "address": device.address,
                "name": device.name,
                "hardware": device.hardware,
                "location": device.location,
                "endpoint": device.endpoint,
                "xaddrs": [redact(xaddr) for xaddr in device.xaddrs],
                "types": list(device.types),
                "scopes": list(device.scopes),
            }
            for device in devices
        ],
        indent=2,
        ensure_ascii=False,
    )
