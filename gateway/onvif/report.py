"""What `gateway discover` prints: a table for people, JSON for scripts. Pure; any thread."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from gateway.onvif.media import Introduction
from gateway.onvif.wsdiscovery import Device
from gateway.redact import redact

_COLUMNS = ("ADDRESS", "NAME", "HARDWARE", "ENDPOINT", "XADDR")
_TOLD_COLUMNS = ("MANUFACTURER", "MODEL", "PASSWORD")
_NOTHING: Mapping[str, Introduction] = {}


def table(devices: Sequence[Device], told: Mapping[str, Introduction] = _NOTHING) -> str:
    """One line per device under a heading; a sentence if there is none. `told`: see `sweep.Swept`."""
    if not devices:
        return "No ONVIF device answered."
    rows: list[tuple[str, ...]] = [_COLUMNS, *(_row(device) for device in devices)]
    if told:
        more = [_TOLD_COLUMNS, *(_told_row(told.get(device.service)) for device in devices)]
        rows = [(row[0], *extra, *row[1:]) for row, extra in zip(rows, more, strict=True)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(device: Device) -> tuple[str, str, str, str, str]:
    xaddr = redact(device.xaddrs[0]) if device.xaddrs else "-"
    cells = (device.address or "-", device.name or "-", device.hardware or "-", device.endpoint, xaddr)
    address, name, hardware, endpoint, service = (_printable(cell) for cell in cells)
    return address, name, hardware, endpoint, service


def _told_row(told: Introduction | None) -> tuple[str, str, str]:
    if told is None:
        return "-", "-", "-"
    return _printable(told.manufacturer) or "-", _printable(told.model) or "-", "needed" if told.needs_password else "none"


def _printable(text: str) -> str:
    """Without control characters: a device's name must not write to the terminal."""
    return "".join(ch for ch in text if ch.isprintable())


def as_json(devices: Sequence[Device], told: Mapping[str, Introduction] = _NOTHING) -> str:
    """A list of objects with the fields of `Device`, and with those of `Introduction` where it was asked."""
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
                **(asdict(told[device.service]) if device.service in told else {}),
            }
            for device in devices
        ],
        indent=2,
        ensure_ascii=False,
    )
