"""RFC 7798 payloads put together again give the access unit, and none is too long for the network."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.packetize_h265 import AGGREGATION, FRAGMENTATION, packetize_h265

VPS, SPS, PPS = b"\x40\x01\x0c\x01", b"\x42\x01\x01\x01", b"\x44\x01\xc1\x72"
_UNITS = st.lists(
    st.builds(
        lambda kind, temporal, size: bytes((kind << 1, temporal)) + bytes(i % 251 for i in range(size)),
        st.sampled_from([1, 19, 20, 39]),
        st.integers(1, 7),
        st.integers(0, 700),
    ),
    min_size=1,
    max_size=4,
)


def depacketize(payloads: list[bytes]) -> list[bytes]:
    units: list[bytes] = []
    fragments = b""
    for payload in payloads:
        kind = payload[0] >> 1 & 0x3F
        if kind == AGGREGATION:
            offset = 2
            while offset < len(payload):
                size = int.from_bytes(payload[offset : offset + 2], "big")
                units.append(payload[offset + 2 : offset + 2 + size])
                offset += 2 + size
        elif kind == FRAGMENTATION:
            start, end = payload[2] & 0x80, payload[2] & 0x40
            assert not (start and end)
            assert bool(start) is (not fragments)
            header = bytes((payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]))
            fragments += (header if start else b"") + payload[3:]
            if end:
                units.append(fragments)
                fragments = b""
        else:
            units.append(payload)
    assert not fragments
    return units


@settings(deadline=None)  # a loaded machine is not a defect
@given(_UNITS, st.integers(24, 300), st.booleans())
def test_any_access_unit_survives_within_the_limit(units: list[bytes], limit: int, keyframe: bool) -> None:
    sets = [VPS, SPS, PPS] if keyframe else []
    payloads = packetize_h265(units, sets, limit)
    assert all(0 < len(payload) <= limit for payload in payloads)
    assert depacketize(payloads) == sets + units


def test_parameter_sets_share_one_packet_with_the_lowest_temporal_id() -> None:
    first, second = packetize_h265([b"\x26\x01abc"], [VPS, SPS, b"\x44\x03\xc1"])
    assert first[:2] == bytes((AGGREGATION << 1, 1))
    assert second == b"\x26\x01abc"
