"""RFC 6184 payloads put together again give the access unit, and none is too long for the network."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.packetize_h264 import FU_A, STAP_A, packetize_h264

SPS, PPS = b"\x67\x42\x00\x1f\xaa", b"\x68\xce\x3c\x80"
_UNITS = st.lists(
    st.builds(
        lambda head, size: bytes((head,)) + bytes(index % 251 for index in range(size)),
        st.sampled_from([0x65, 0x41, 0x06, 0x01]),
        st.integers(0, 700),
    ),
    min_size=1,
    max_size=4,
)


def depacketize(payloads: list[bytes]) -> list[bytes]:
    units: list[bytes] = []
    fragments = b""
    for payload in payloads:
        kind = payload[0] & 0x1F
        if kind == STAP_A:
            offset = 1
            while offset < len(payload):
                size = int.from_bytes(payload[offset : offset + 2], "big")
                units.append(payload[offset + 2 : offset + 2 + size])
                offset += 2 + size
        elif kind == FU_A:
            start, end = payload[1] & 0x80, payload[1] & 0x40
            assert not (start and end), "a NAL unit that fits must not be fragmented"
            assert bool(start) is (not fragments)
            fragments += (bytes((payload[0] & 0xE0 | payload[1] & 0x1F,)) if start else b"") + payload[2:]
            if end:
                units.append(fragments)
                fragments = b""
        else:
            units.append(payload)
    assert not fragments
    return units


@settings(deadline=None)  # a loaded machine is not a defect
@given(_UNITS, st.integers(20, 300), st.booleans())
def test_any_access_unit_survives_within_the_limit(units: list[bytes], limit: int, keyframe: bool) -> None:
    sets = [SPS, PPS] if keyframe else []
    payloads = packetize_h264(units, sets, limit)
    assert all(0 < len(payload) <= limit for payload in payloads)
    assert depacketize(payloads) == sets + units


def test_parameter_sets_share_one_packet_in_front_of_the_keyframe() -> None:
    first, second = packetize_h264([b"\x65abc"], [SPS, PPS])
    assert first[0] == 0x78, "STAP-A with the highest importance inside"
    assert second == b"\x65abc"


def test_parameter_sets_too_long_for_one_packet_go_alone() -> None:
    long = b"\x67" + bytes(40)
    payloads = packetize_h264([b"\x65abc"], [long, PPS], 30)
    assert depacketize(payloads) == [long, PPS, b"\x65abc"]
    assert max(map(len, payloads)) <= 30
