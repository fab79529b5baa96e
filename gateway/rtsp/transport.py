"""The `Transport` header: how a client wants its packets, and how it gets them (RFC 2326 section 12.39). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PAIR = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


@dataclass(frozen=True, slots=True)
class InterleavedChannels:
    """RTP and RTCP inside the RTSP connection."""

    rtp: int
    rtcp: int


@dataclass(frozen=True, slots=True)
class UdpPorts:
    """RTP and RTCP over UDP unicast; the client's ports at its own address, never at one it names.

    Honouring `destination=` would make the server a way to flood third parties.
    """

    rtp: int
    rtcp: int


Wanted = InterleavedChannels | UdpPorts | None
"""None: interleaved, on channels the server chooses."""


class UnsupportedTransport(ValueError):
    """None of the offered transports is served here (461)."""


def choose_transport(header: str) -> Wanted:
    """The first alternative of a client's header that can be served. Raises UnsupportedTransport."""
    for alternative in header.split(","):
        profile, *parameters = [part.strip() for part in alternative.split(";")]
        pairs = (part.partition("=") for part in parameters)
        options = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if options.get("mode", "play").strip('"').lower() != "play" or "multicast" in options:
            continue
        if profile.upper() == "RTP/AVP/TCP":
            if "interleaved" not in options:
                return None
            pair = _pair(options["interleaved"], 255)
            if pair is not None:
                return InterleavedChannels(*pair)
        elif profile.upper() in ("RTP/AVP", "RTP/AVP/UDP"):
            pair = _pair(options.get("client_port", ""), 65535)
            if pair is not None and pair[0]:
                return UdpPorts(*pair)
    raise UnsupportedTransport(header)


def describe_interleaved(channels: InterleavedChannels, ssrc: int) -> str:
    """The answer to an interleaved set-up."""
    return f"RTP/AVP/TCP;unicast;interleaved={channels.rtp}-{channels.rtcp};ssrc={ssrc:08X}"


def describe_udp(client: UdpPorts, server: UdpPorts, ssrc: int) -> str:
    """The answer to a UDP set-up."""
    return f"RTP/AVP;unicast;client_port={client.rtp}-{client.rtcp};server_port={server.rtp}-{server.rtcp};ssrc={ssrc:08X}"


def _pair(text: str, highest: int) -> tuple[int, int] | None:
    match = _PAIR.fullmatch(text)
    if match is None:
        return None
    first = int(match[1])
    second = int(match[2]) if match[2] else first + 1
    if first == second or max(first, second) > highest:
        return None
    return first, second
