"""Who a device says it is. Pure values; none may change while clients remember the device."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from urllib.parse import quote

ENDPOINT_NAMESPACE = uuid.UUID("b1a2c3f0-6f0e-4c53-9d39-7c1f5a0f6a10")
"""Names become endpoint references in it (RFC 4122 section 4.3); changing it would make every device a new one."""
_SCOPE_BASE = "onvif://www.onvif.org"
_HOSTNAME_CHARS = 63
"""RFC 1123 section 2.1: one label."""


def endpoint_of(name: str) -> str:
    """The endpoint reference of whatever is called `name`: the same today, tomorrow and on any machine."""
    return f"urn:uuid:{uuid.uuid5(ENDPOINT_NAMESPACE, name)}"


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """What stands in GetDeviceInformation, in the scopes and in discovery."""

    name: str
    endpoint: str
    """`urn:uuid:...`"""
    serial: str
    mac: str
    """Six pairs of hex digits with colons."""
    manufacturer: str
    model: str
    firmware: str
    hardware: str
    location: str = ""
    profiles: tuple[str, ...] = ("Streaming",)
    """ONVIF profiles claimed, as scopes name them: `Streaming` is Profile S, `T` is Profile T."""

    @property
    def scopes(self) -> tuple[str, ...]:
        """ONVIF scopes (Core specification 7.3.3.2), percent-encoded as URIs."""
        told = (("name", self.name), ("hardware", self.hardware), ("location", self.location))
        return (
            f"{_SCOPE_BASE}/type/video_encoder",
            *(f"{_SCOPE_BASE}/Profile/{profile}" for profile in self.profiles),
            *(f"{_SCOPE_BASE}/{kind}/{quote(text, safe='')}" for kind, text in told if text),
        )

    @property
    def hostname(self) -> str:
        """The name in the form of a host's."""
        name = re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")
        return name[:_HOSTNAME_CHARS].strip("-") or "camera"
