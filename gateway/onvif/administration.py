"""What an administrator asks of a camera: its network, its clock, a restart. Blocking, on worker threads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from gateway.errors import ProtocolError, TimedOut
from gateway.onvif import clock
from gateway.onvif.client import DEVICE_NS, OnvifClient
from gateway.onvif.reader import Node
from gateway.onvif.transport import ConnectionDropped

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of the camera; empty text where it does not tell."""

    name: str
    mac: str
    addresses: tuple[str, ...]
    """With prefix length: `192.168.10.215/24`."""
    dhcp: bool


@dataclass(frozen=True, slots=True)
class CameraClock:
    """How the camera keeps time. `zone` is its POSIX zone, kept when the clock is set."""

    offset_s: float
    """The camera's clock minus ours."""
    ntp: bool
    zone: str
    daylight_saving: bool


def network(client: OnvifClient) -> tuple[Interface, ...]:
    """The camera's network interfaces; empty where it does not tell (many do not implement it)."""
    try:
        reply = client.call(DEVICE_NS, "GetNetworkInterfaces")
    except ProtocolError as error:
        log.debug("%s", error)
        return ()
    return tuple(_interface(node) for node in reply.all("NetworkInterfaces"))


def _interface(node: Node) -> Interface:
    ipv4 = node.at("IPv4", "Config")
    found = []
    if ipv4 is not None:
        for part in ("Manual", "FromDHCP", "LinkLocal"):
            for entry in ipv4.all(part):
                address = entry.text_at("Address")
                prefix = entry.text_at("PrefixLength")
                found.append(f"{address}/{prefix}" if prefix else address)
    return Interface(
        name=node.text_at("Info", "Name") or node.attributes.get("token", ""),
        mac=node.text_at("Info", "HwAddress"),
        addresses=tuple(dict.fromkeys(address for address in found if address)),
        dhcp=ipv4 is not None and ipv4.text_at("DHCP").lower() == "true",
    )


def read_clock(client: OnvifClient, now: float) -> CameraClock:
    """How the camera keeps time, against `now` (Unix seconds)."""
    reply = client.call(DEVICE_NS, "GetSystemDateAndTime")
    seconds = clock.camera_time(reply)
    said = reply.find("SystemDateAndTime") or reply
    zone = reply.find("TZ")
    return CameraClock(
        offset_s=seconds - now if seconds is not None else client.clock_offset_s,
        ntp=said.text_at("DateTimeType").upper() == "NTP",
        zone=zone.text if zone is not None else "",
        daylight_saving=said.text_at("DaylightSavings").lower() == "true",
    )


def set_clock(client: OnvifClient, kept: CameraClock, now: float) -> None:
    """Give the camera the time `now` (Unix seconds). Zone and summer time stay as they are; NTP is switched off.

    A camera whose NTP server worked would not need it. Raises SourceError.
    """
    at = datetime.fromtimestamp(now, UTC)
    zone = f"<q:TimeZone><t:TZ>{escape(kept.zone)}</t:TZ></q:TimeZone>" if kept.zone else ""
    inner = (
        f"<q:DateTimeType>Manual</q:DateTimeType><q:DaylightSavings>{str(kept.daylight_saving).lower()}</q:DaylightSavings>"
        f"{zone}<q:UTCDateTime><t:Time><t:Hour>{at.hour}</t:Hour><t:Minute>{at.minute}</t:Minute>"
        f"<t:Second>{at.second}</t:Second></t:Time><t:Date><t:Year>{at.year}</t:Year><t:Month>{at.month}</t:Month>"
        f"<t:Day>{at.day}</t:Day></t:Date></q:UTCDateTime>"
    )
    client.call(DEVICE_NS, "SetSystemDateAndTime", inner)
    client.clock_was_set()


def reboot(client: OnvifClient) -> str:
    """Restart the camera; its own words, empty if it went down before it could say any. Raises SourceError."""
    try:
        return client.call(DEVICE_NS, "SystemReboot").text_at("Message")
    except (TimedOut, ConnectionDropped):
        return ""
