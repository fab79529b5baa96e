"""RTP back to access units: what was cut comes back whole, and what lost a piece does not come at all."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.rtsp.client.access_unit import AccessUnit
from gateway.rtsp.client.depacketise_aac import AacDepacketiser
from gateway.rtsp.client.depacketise_h264 import H264Depacketiser
from gateway.rtsp.client.depacketise_h265 import H265Depacketiser
from gateway.rtsp.client.depacketise_nal import MAX_PICTURE_BYTES
from gateway.rtsp.client.depacketise_plain import PlainDepacketiser, opus_duration
from gateway.rtsp.client.description import Media
from gateway.rtsp.packetize_aac import packetize_aac
from gateway.rtsp.packetize_h264 import packetize_h264
from gateway.rtsp.packetize_h265 import packetize_h265


def h264_unit(kind, size, fill=7):
    return bytes((0x60 | kind, 0x80 | fill)) + bytes((fill,)) * size


def h265_unit(kind, size, fill=7):
    return bytes((kind << 1, 1, 0x80 | fill)) + bytes((fill,)) * size


IDR, SLICE, SPS, PPS, AUD, SEI = 5, 1, 7, 8, 9, 6


def feed(depacketiser, payloads, timestamp=0, *, marked=True, lost=()):
    """Everything that comes out; payloads whose index is in `lost` never arrive."""
    done, gap = [], False
    for index, payload in enumerate(payloads):
        if index in lost:
            gap = True
            continue
        done += depacketiser.push(payload, timestamp, marked and index == len(payloads) - 1, gap)
        gap = False
    return done, gap


slices = st.lists(st.tuples(st.sampled_from([IDR, SLICE]), st.integers(1, 5000)), min_size=1, max_size=5)


@given(slices, st.booleans())
def test_h264_survives_our_own_packetiser(parts, with_sets):
    units = [h264_unit(kind, size) for kind, size in parts]
    sets = (h264_unit(SPS, 20), h264_unit(PPS, 4)) if with_sets else ()
    done, _ = feed(H264Depacketiser(), packetize_h264(units, sets))
    assert [unit for one in done for unit in one.units] == [*sets, *units]
    assert len(done) == 1


@given(slices)
def test_h265_survives_our_own_packetiser(parts):
    units = [h265_unit(19 if kind == IDR else 1, size) for kind, size in parts]
    sets = tuple(h265_unit(kind, 20) for kind in (32, 33, 34))
    done, _ = feed(H265Depacketiser(), packetize_h265(units, sets))
    assert [one.units for one in done] == [[*sets, *units]]


@pytest.mark.parametrize("lost", range(6))
def test_picture_that_lost_any_of_its_packets_is_dropped_and_counted_and_the_next_one_is_whole(lost):
    depacketiser = H264Depacketiser()
    payloads = packetize_h264([h264_unit(IDR, 7000)], ())
    assert len(payloads) == 6
    done, gap = feed(depacketiser, payloads, 0, lost={lost})
    assert done == []
    following = h264_unit(SLICE, 50)
    done = depacketiser.push(following, 3600, True, gap)
    assert [one.units for one in done] == [[following]]
    assert depacketiser.dropped == 1
    assert not depacketiser.partial


def test_picture_whose_first_slice_was_lost_is_not_taken_for_a_whole_one():
    depacketiser = H264Depacketiser()
    second_slice = bytes((0x61, 0x20)) + bytes(50)
    assert list(depacketiser.push(second_slice + b"x", 3600, True, True)) == []
    assert depacketiser.dropped == 1


def test_camera_without_marker_bits_loses_no_picture():
    depacketiser = H264Depacketiser()
    pictures = [h264_unit(SLICE, 3000, fill) for fill in range(1, 6)]
    done = []
    for number, picture in enumerate(pictures):
        done += feed(depacketiser, packetize_h264([picture], ()), number * 3600, marked=False)[0]
    assert [one.units for one in done] == [[picture] for picture in pictures[:-1]]
    assert [one.timestamp for one in done] == [0, 3600, 7200, 10800]


@pytest.mark.parametrize("kind", [SPS, PPS, AUD, SEI])
def test_marker_on_a_parameter_set_does_not_end_the_picture(kind):
    depacketiser = H264Depacketiser()
    head, picture = h264_unit(kind, 10), h264_unit(IDR, 10)
    assert list(depacketiser.push(head, 0, True, False)) == []
    assert [one.units for one in depacketiser.push(picture, 0, True, False)] == [[head, picture]]


def test_parameter_sets_with_the_time_of_the_picture_before_are_no_picture_of_their_own():
    depacketiser = H264Depacketiser()
    sps, pps, first, second = h264_unit(SPS, 8), h264_unit(PPS, 4), h264_unit(SLICE, 8), h264_unit(IDR, 8)
    done = [*depacketiser.push(first, 0, True, False)]
    for unit in (sps, pps):
        done += depacketiser.push(unit, 0, False, False)
    done += depacketiser.push(second, 3600, True, False)
    assert done == [AccessUnit(0, [first]), AccessUnit(3600, [sps, pps, second])]


def test_fragments_whose_end_is_not_marked_are_a_whole_unit():
    depacketiser = H264Depacketiser()
    begin, middle = bytes((0x7C, 0x85, 0x88)) + b"a", bytes((0x7C, 0x05)) + b"b"
    depacketiser.push(begin, 0, False, False)
    depacketiser.push(middle, 0, True, False)
    done = depacketiser.push(h264_unit(SLICE, 3), 3600, True, False)
    assert done[0].units == [bytes((0x65, 0x88)) + b"ab"]


def test_start_codes_in_a_packet_are_taken_out():
    depacketiser = H264Depacketiser()
    sps, picture = h264_unit(SPS, 8), h264_unit(IDR, 8)
    done = depacketiser.push(b"\0\0\0\1" + sps + b"\0\0\0\1" + picture, 0, True, False)
    assert [one.units for one in done] == [[sps, picture]]


def test_decoding_order_numbers_are_skipped():
    sps, picture = h264_unit(SPS, 8), h264_unit(IDR, 8)
    stap_b = bytes((0x79, 0, 1)) + b"".join(len(unit).to_bytes(2, "big") + unit for unit in (sps, picture))
    assert [one.units for one in H264Depacketiser().push(stap_b, 0, True, False)] == [[sps, picture]]
    unit = h265_unit(19, 20)
    numbered = unit[:2] + b"\0\7" + unit[2:]
    assert [one.units for one in H265Depacketiser(numbered=True).push(numbered, 0, True, False)] == [[unit]]


@pytest.mark.parametrize(
    ("clock_rate", "config", "ticks"),
    [(16000, "1408", 1024), (32000, "2C0A8800", 2048), (8000, "1408", 512), (16000, "", 1024), (16000, "zz", 1024)],
)
def test_aac_frames_are_as_long_as_their_samples_whatever_the_rtp_clock(clock_rate, config, ticks):
    media = Media("audio", 97, "MPEG4-GENERIC", clock_rate, 1, {"config": config, "sizelength": "13", "indexlength": "3"})
    two = bytes((0, 32, 0, 4 << 3, 0, 4 << 3)) + b"abcdefgh"
    done = AacDepacketiser.of(media).push(two, 100, True, False)
    assert [(one.timestamp, one.duration) for one in done] == [(100, ticks), (100 + ticks, ticks)]


@pytest.mark.parametrize("size", range(3, 10))
def test_short_numbered_packet_behind_a_loss_ends_no_session(size):
    for kind in (1, 48, 49):
        depacketiser = H265Depacketiser(numbered=True)
        depacketiser.push(bytes((kind << 1, 1)) + b"\x80" * (size - 2), 0, True, True)


def test_endless_picture_takes_no_endless_memory():
    depacketiser = H264Depacketiser()
    depacketiser.push(bytes((0x7C, 0x85)) + bytes(1400), 0, False, False)
    for _ in range(MAX_PICTURE_BYTES // 60_000 + 200):
        depacketiser.push(bytes((0x7C, 0x05)) + bytes(60_000), 0, False, False)
        depacketiser.go_on([bytes(60_000)] * 2)
    assert sum(map(len, depacketiser._fragments)) <= MAX_PICTURE_BYTES
    assert list(depacketiser.push(bytes((0x7C, 0x45)) + b"x", 0, True, False)) == []


@given(st.lists(st.tuples(st.binary(max_size=40), st.integers(0, 3), st.booleans(), st.booleans()), max_size=30))
def test_garbage_never_raises(packets):
    for depacketiser in (
        H264Depacketiser(),
        H265Depacketiser(),
        H265Depacketiser(True),
        AacDepacketiser(),
        PlainDepacketiser(1),
    ):
        for payload, timestamp, marker, gap in packets:
            for one in depacketiser.push(payload, timestamp, marker, gap):
                assert all(one.units)


@given(st.integers(1, 6000))
def test_aac_survives_our_own_packetiser(size):
    frame = bytes(size - 1) + b"x"
    payloads = packetize_aac(frame)
    done, _ = feed(AacDepacketiser(), payloads)
    assert [one.units for one in done] == [[frame]]


def test_aac_frames_of_one_packet_are_dated_one_after_the_other():
    frames = [b"first", b"second", b"third"]
    headers = b"".join((len(frame) << 3).to_bytes(2, "big") for frame in frames)
    payload = (16 * 3).to_bytes(2, "big") + headers + b"".join(frames)
    done = AacDepacketiser().push(payload, 2**32 - 1024, True, False)
    assert [(one.timestamp, one.units[0]) for one in done] == [(2**32 - 1024, b"first"), (0, b"second"), (1024, b"third")]


@pytest.mark.parametrize("bits", [13, 16])
def test_aac_of_a_camera_that_does_not_tell_the_length_of_the_index(bits):
    media = Media("audio", 97, "MPEG4-GENERIC", 16000, 1, {"mode": "AAC-hbr", "sizelength": "13"})
    header = (5 << (16 - 13)).to_bytes(2, "big")
    done = AacDepacketiser.of(media).push(bits.to_bytes(2, "big") + header + b"sound", 0, True, False)
    assert [one.units for one in done] == [[b"sound"]]


def test_lengths_of_opus_packets():
    assert [opus_duration(bytes((toc, 2))) for toc in (0x78, 0x08, 0x80, 0xFB)] == [960, 960, 120, 1920]
    assert list(itertools.islice(PlainDepacketiser(1).push(b"", 0, False, False), 1)) == []
