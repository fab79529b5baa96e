"""Reads the session description of a camera (RFC 8866), as cameras write it rather than as the standard says.

Seen in the wild: any line ending, blanks around everything, attributes in front of their media, a missing `rtpmap` for
static types, parameter sets with start codes or that are no base64 at all, lines that are none. So nothing here raises:
what cannot be read is as if it had not been written. Pure; reader threads call it once per session.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.media import annexb

MAX_LINES = 1000
"""A camera writes 20 to 60."""
MAX_MEDIA = 16

_MEDIA = re.compile(r"(\w+)\s+\S+\s+(\S+)((?:\s+\d{1,3})*)")
_RTPMAP = re.compile(r"(\d{1,3})\s+([^\s/]+)(?:\s*/\s*(\d{1,7})(?:\s*/\s*(\d{1,2}))?)?")
_FMTP = re.compile(r"(\d{1,3})\s*:?\s+(.*)")
_STATIC: Mapping[int, tuple[str, int, int]] = {
    0: ("PCMU", 8000, 1),
    3: ("GSM", 8000, 1),
    8: ("PCMA", 8000, 1),
    9: ("G722", 8000, 1),
    10: ("L16", 44100, 2),
    11: ("L16", 44100, 1),
    14: ("MPA", 90000, 1),
    26: ("JPEG", 90000, 0),
    32: ("MPV", 90000, 0),
    33: ("MP2T", 90000, 0),
}
"""RFC 3551 tables 4 and 5, as far as cameras use them."""


@dataclass(frozen=True, slots=True)
class Media:
    """One `m=` section."""

    kind: str
    """`video`, `audio`, `application`, ..."""
    payload_type: int
    encoding: str
    """Upper case, e.g. `H264`, `MPEG4-GENERIC`; empty where nobody says."""
    clock_rate: int
    channels: int
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Of `fmtp`; names in lower case."""
    control: str = ""
    direction: str = ""
    """`sendonly`, `recvonly`, `sendrecv`, `inactive`, or nothing."""
    profile: str = "RTP/AVP"

    def parameter_sets(self) -> list[bytes]:
        """NAL units announced for H.264 or H.265; without start codes, possibly none."""
        names = ("sprop-parameter-sets",) if self.encoding == "H264" else ("sprop-vps", "sprop-sps", "sprop-pps")
        texts = [text for name in names for text in self.parameters.get(name, "").split(",")]
        return [unit for text in texts for unit in _units(text)]

    def number(self, name: str, default: int) -> int:
        """A parameter that is a number."""
        text = self.parameters.get(name, "")
        return int(text) if re.fullmatch("[0-9]{1,9}", text) else default


@dataclass(frozen=True, slots=True)
class Description:
    """A whole session description."""

    control: str
    media: tuple[Media, ...]


@dataclass(slots=True)
class _Section:
    kind: str
    profile: str
    types: list[int]
    maps: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    formats: dict[int, str] = field(default_factory=dict)
    control: str = ""
    direction: str = ""

    def media(self) -> Media:
        types = self.types or list(self.maps) or [0]
        # several formats for one media: the first that is described, or else is static
        chosen = next((number for number in types if number in self.maps), None)
        if chosen is None:
            chosen = next((number for number in types if number in _STATIC), types[0])
        encoding, rate, channels = self.maps.get(chosen) or _STATIC.get(chosen) or ("", 0, 0)
        rate = rate or (90_000 if self.kind == "video" else 8000)
        return Media(
            self.kind,
            chosen,
            encoding,
            rate,
            channels or (1 if self.kind == "audio" else 0),
            _parameters(self.formats.get(chosen, "")),
            self.control,
            self.direction,
            self.profile,
        )


def parse(data: bytes) -> Description:
    """Read an SDP. Never raises; without an `m=` line there is no media."""
    control = direction = ""
    sections: list[_Section] = []
    for raw in re.split(r"[\r\n]+", data.decode("utf-8", "replace").replace("\0", ""))[:MAX_LINES]:
        letter, equals, value = raw.strip().partition("=")
        value = value.strip()
        if not equals:
            continue
        if letter.strip() == "m" and len(sections) < MAX_MEDIA:
            match = _MEDIA.match(value)
            if match is not None:
                types = [int(number) for number in match[3].split()]
                sections.append(_Section(match[1].lower(), match[2].upper(), types, direction=direction))
        elif letter.strip() == "a":
            name, _, text = value.partition(":")
            name, text = name.strip().lower(), text.strip()
            if name in ("sendonly", "recvonly", "sendrecv", "inactive"):
                if sections:
                    sections[-1].direction = name
                else:
                    direction = name
            elif name == "control" and not sections:
                control = text
            elif sections:
                _attribute(sections[-1], name, text)
    return Description(control, tuple(section.media() for section in sections))


def _attribute(section: _Section, name: str, text: str) -> None:
    if name == "control":
        section.control = section.control or text
    elif name == "rtpmap" and (match := _RTPMAP.match(text)) is not None:
        section.maps.setdefault(int(match[1]), (match[2].upper(), int(match[3] or 0), int(match[4] or 0)))
    elif name == "fmtp" and (match := _FMTP.match(text)) is not None:
        number = int(match[1])
        section.formats[number] = f"{section.formats.get(number, '')};{match[2]}"


def _parameters(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name.strip()}


def _units(text: str) -> list[bytes]:
    text = "".join(text.split())
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return []
    if data.startswith((b"\0\0\1", b"\0\0\0\1")):
        return annexb.split(data)
    return [data] if data else []
