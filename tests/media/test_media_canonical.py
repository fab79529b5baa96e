"""Access units as cameras send them become samples and configurations."""

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import CodecUnsupported
from gateway.media import annexb, canonical, h264, h265
from gateway.media.aac import audio_specific_config
from gateway.media.joiner import Joiner, Packet
from gateway.media.track import Codec


def convert(converter, packets):
    return [converter.take(bytes(packet), packet.is_keyframe) for packet in packets]


@pytest.mark.parametrize(("codec", "encoder", "decoder"), [(Codec.H264, "libx264", "h264"), (Codec.H265, "libx265", "hevc")])
def test_parameter_sets_only_in_band_are_found_and_the_result_decodes(codec, encoder, decoder, encode):
    units = convert(canonical.video(codec, b""), encode(encoder, 20))
    assert [unit.keyframe for unit in units] == [n % 10 == 0 for n in range(20)]
    assert (units[0].config.width, units[0].config.height) == (320, 180)
    context = av.CodecContext.create(decoder, "r")
    context.extradata = units[0].config.extradata
    pictures = [p for unit in units for p in context.decode(av.Packet(unit.payload))] + context.decode(None)
    assert len(pictures) == 20


def test_parameter_sets_leave_the_sample(h264_packets):
    unit = canonical.H264().take(bytes(h264_packets[0]), True)
    assert not {h264.nal_type(nal) for nal in annexb.split_lengths(unit.payload)} & {7, 8, 9}


def test_parameter_sets_from_the_sdp_are_enough(h264_packets):
    full = canonical.H264().take(bytes(h264_packets[0]), True)
    sps, pps = h264.parameter_sets(full.config.extradata)
    announced = b"".join(b"\0\0\0\1" + unit for unit in (*sps, *pps))
    bare = b"".join(b"\0\0\1" + unit for unit in annexb.split_lengths(full.payload))
    assert canonical.H264(announced).take(bare, True).config == full.config
    assert canonical.H264(full.config.extradata).take(bare, True).config == full.config


def test_pictures_before_any_parameter_set_are_held_back(h264_packets):
    assert canonical.H264().take(bytes(h264_packets[1]), False) is None


def test_resolution_change_gives_a_new_configuration_at_its_keyframe(encode):
    converter = canonical.H264()
    before = convert(converter, encode("libx264", 10))
    after = convert(converter, encode("libx264", 10, size=(640, 360)))
    assert {unit.config for unit in before} == {before[0].config}
    assert {(unit.config.width, unit.config.height) for unit in after} == {(640, 360)}


def test_configuration_object_is_reused_while_unchanged(h264_packets):
    units = convert(canonical.H264(), h264_packets)
    assert all(unit.config is units[0].config for unit in units)


def test_b_frame_stream_declares_its_reordering(encode):
    units = convert(canonical.H264(), encode("libx264", 20, bframes=2))
    assert units[0].reorder is not None
    assert units[0].reorder >= 1


def test_codec_strings_are_rfc_6381(h264_packets, h265_packets):
    avc = canonical.H264().take(bytes(h264_packets[0]), True).config.codec_string
    hvc = canonical.H265().take(bytes(h265_packets[0]), True).config.codec_string
    assert avc.startswith("avc1.42")
    assert hvc.startswith("hvc1.1.6.L")


def test_hevc_configuration_lists_all_three_kinds_of_sets(h265_packets):
    config = canonical.H265().take(bytes(h265_packets[0]), True).config
    assert [len(units) for units in h265.parameter_sets(config.extradata)] == [1, 1, 1]


def test_keyframes_of_an_open_gop_are_keyframes_although_only_the_first_is_an_idr():
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 64, "yuv420p", Fraction(1, 25)
    encoder.options = {"x264-params": "open-gop=1:keyint=8:min-keyint=8:bframes=2:scenecut=0"}
    encoded = []
    for number in range(40):
        picture = av.VideoFrame(64, 64, "yuv420p")
        picture.pts = number
        encoded += encoder.encode(picture)
    encoded += encoder.encode(None)
    converter = canonical.H264(bytes(encoder.extradata or b""))
    units = [converter.take(bytes(packet), False) for packet in encoded]
    assert sum(packet.is_keyframe for packet in encoded) > 3
    assert [unit.keyframe for unit in units] == [packet.is_keyframe for packet in encoded]


@given(st.binary(max_size=40))
def test_sei_of_any_content_is_read_to_its_end(body):
    h264.can_start([b"\6" + body, b"\x41\x88"])


@pytest.mark.parametrize(
    ("sei", "starts"),
    [
        ("0601 02aabb 0601 c4 80", True),
        ("0605 ff01" + "11" * 256 + "0601c480", True),
        ("0606 01c480", True),
        ("0606 014480", False),
        ("0605 0406010203", False),
        ("0606", False),
    ],
)
def test_recovery_point_is_found_behind_other_messages_and_only_if_it_is_at_once(sei, starts):
    assert h264.can_start([bytes.fromhex(sei), b"\x41\x88\x80"]) is starts
    assert not h264.can_start([bytes.fromhex(sei), b"\x41\x9a\x80"]), "a P picture"


def test_adts_header_is_stripped_and_read():
    asc = audio_specific_config(2, 16000, 1)
    body = b"\x01\x02\x03\x04"
    size = len(body) + 7
    header = bytes(
        [0xFF, 0xF1, (1 << 6) | (8 << 2), (1 << 6) | (size >> 11), (size >> 3) & 255, ((size & 7) << 5) | 0x1F, 0xFC]
    )
    unit = canonical.Aac(b"").take(header + body, True)
    assert (unit.payload, unit.config.extradata, unit.config.sample_rate) == (body, asc, 16000)


def test_aac_without_any_configuration_is_silent_not_fatal():
    assert canonical.Aac(b"").take(b"\x21\x10\x04\x60", True) is None


def test_av1_over_rtsp_is_refused_with_its_name():
    with pytest.raises(CodecUnsupported, match="av1"):
        canonical.video(Codec.AV1, b"")


def test_resolution_change_under_another_sps_id_leaves_nothing_of_the_old_one(encode):
    converter = canonical.H264()
    convert(converter, encode("libx264", 2))
    unit = converter.take(bytes(encode("libx264", 1, size=(640, 480), sps_id=1)[0]), True)
    assert (unit.config.width, unit.config.height) == (640, 480)
    assert len(h264.parameter_sets(unit.config.extradata)[0]) == 1


HEADERS = [b"\x67", b"\x68", b"\x65", b"\x41", b"\x40\x01", b"\x42\x01", b"\x44\x01", b"\x26\x01"]


@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.binary(max_size=60)), max_size=8))
def test_garbage_behind_valid_headers_never_raises(units):
    data = b"".join(b"\0\0\1" + head + body for head, body in units)
    for converter in (canonical.H264(), canonical.H265()):
        converter.take(data, True)
        converter.take(data, False)


def test_whole_pictures_pass_through_the_joiner_without_delay():
    joiner = Joiner(h264.begins_picture)
    packets = [Packet(n * 3600 if n else None, [b"x"], n == 0) for n in range(5)]
    assert [joiner.push(packet) for packet in packets] == packets


def test_picture_in_two_packets_is_joined_from_the_second_one_on():
    joiner = Joiner(h264.begins_picture)
    halves = [Packet(n // 2 * 3600, [bytes([n])], n == 0) for n in range(10)]
    out = [packet for half in halves if (packet := joiner.push(half)) is not None]
    assert [b"".join(packet.units) for packet in out] == [b"\0", b"\1", b"\2\3", b"\4\5", b"\6\7"]


FIRST_SLICE, LATER_SLICE = b"\x41\x9a", b"\x41\x1a"


@pytest.mark.parametrize("slices", [1, 3])
def test_pictures_of_a_camera_whose_clock_stands_still_are_not_one_endless_picture(slices):
    joiner = Joiner(h264.begins_picture)
    packets = [Packet(0, [unit]) for unit in [FIRST_SLICE, *[LATER_SLICE] * (slices - 1)] * 100]
    out = [packet for packet in map(joiner.push, packets) if packet is not None]
    assert joiner.stuck
    assert [len(packet.units) for packet in out[-90:]] == [slices] * 90
    assert all(packet.pts is None for packet in out[-90:])
    assert joiner.push(Packet(3600, [FIRST_SLICE])) is not None
    assert not joiner.stuck


def test_packets_without_any_slice_do_not_grow_into_an_endless_picture():
    joiner = Joiner(h264.begins_picture)
    out = [packet for _ in range(10_000) if (packet := joiner.push(Packet(0, [b"\x06\x05"]))) is not None]
    assert len(out) > 3


@given(st.binary(max_size=300), st.booleans())
def test_garbage_never_raises(data, key):
    for converter in (canonical.H264(data), canonical.H265(data), canonical.Aac(data)):
        converter.take(data, key)
        converter.take(b"\0\0\1" + data, key)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6))
def test_length_prefixes_survive_a_round_trip(units):
    assert annexb.split_lengths(annexb.join(units)) == units
