from __future__ import annotations

import io
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_thread import on_own_thread

from gateway.media import annexb, h264, h265
from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind
from gateway.rtmp import chunk, flv
from gateway.rtmp.flv_demux import FlvDemuxer


def body(frame: Frame, composition_ms: int = 0) -> bytes:
    return flv.frame_prefix(frame, composition_ms) + frame.payload


def legacy(frame: Frame, payload: bytes, codec_id: int = 7) -> bytes:
    return bytes(((1 if frame.keyframe else 2) << 4 | codec_id, 1, 0, 0, 0)) + payload


def stop_sets(frame: Frame) -> bytes:
    """AUD, SPS and PPS as the encoder that repeats them everywhere puts them into its samples."""
    sps, pps = h264.parameter_sets(frame.config.extradata)
    return annexb.join([b"\x09\xf0", *sps, *pps])


@pytest.fixture
def demuxer() -> FlvDemuxer:
    return FlvDemuxer()


@pytest.mark.parametrize("codec", [Codec.H264, Codec.H265, Codec.AV1])
def test_pictures_come_out_as_they_went_in(demuxer, media, codec):
    frames = media(codec, None, b_frames=2 if codec is Codec.H264 else 0).video
    config = frames[0].config
    assert demuxer.video(flv.sequence_header(config)) is None
    assert demuxer.configured == {Kind.VIDEO}
    samples = [demuxer.video(body(frame, -7)) for frame in frames]
    assert [sample.keyframe for sample in samples] == [frame.keyframe for frame in frames]
    assert {(s.config.codec, s.config.width, s.config.height) for s in samples} == {(codec, 160, 120)}
    assert len({id(sample.config) for sample in samples}) == 1
    assert samples[0].composition_ms == (0 if codec is Codec.AV1 else -7)
    assert [sample.payload for sample in samples] == [frame.payload for frame in frames]


@pytest.mark.parametrize(("codec", "samples"), [(Codec.AAC, 1024), (Codec.OPUS, 960)])
def test_sound_comes_out_as_it_went_in(demuxer, media, codec, samples):
    frames = media(None, codec).audio
    demuxer.audio(flv.sequence_header(frames[0].config))
    assert demuxer.configured == {Kind.AUDIO}
    out = [demuxer.audio(body(frame)) for frame in frames]
    assert [sample.payload for sample in out] == [frame.payload for frame in frames]
    assert {(sample.config.sample_rate, sample.config.channels, sample.duration) for sample in out} == {(48_000, 1, samples)}
    assert len({id(sample.config) for sample in out}) == 1


def test_h265_under_the_codec_id_of_chinese_encoders(demuxer, media):
    frames = media(Codec.H265, None).video
    demuxer.video(b"\x1c\0\0\0\0" + frames[0].config.extradata)
    assert [demuxer.video(legacy(frame, frame.payload, 12)).payload for frame in frames] == [f.payload for f in frames]


def test_repeated_headers_and_sets_in_every_sample_change_nothing(demuxer, media):
    frames = media().video
    configs = set()
    for frame in frames:
        demuxer.video(flv.sequence_header(frames[0].config))
        sample = demuxer.video(legacy(frame, stop_sets(frame) + frame.payload))
        assert sample.payload == frame.payload
        configs.add(id(sample.config))
    assert len(configs) == 1


def test_a_changed_header_takes_effect_with_the_next_keyframe(demuxer, media):
    small, large = media().video, media(width=320, height=240).video
    demuxer.video(flv.sequence_header(small[0].config))
    before = demuxer.video(body(small[0])).config
    demuxer.video(flv.sequence_header(large[0].config))
    assert demuxer.video(body(small[1])).config is before
    after = demuxer.video(body(large[0])).config
    assert (after.width, after.height) == (320, 240)
    assert demuxer.video(body(large[1])).config is after


def test_a_codec_changed_without_a_reconnect(demuxer, media):
    first, second = media().video, media(Codec.H265, None).video
    demuxer.video(flv.sequence_header(first[0].config))
    demuxer.video(body(first[0]))
    demuxer.video(flv.sequence_header(second[0].config))
    assert demuxer.video(body(second[0])).config.codec is Codec.H265


def test_annexb_instead_of_lengths_is_understood(demuxer, media):
    frames = media().video
    sps, pps = h264.parameter_sets(frames[0].config.extradata)
    start = b"\0\0\0\1"
    for frame in frames:
        units = annexb.split_lengths(frame.payload)
        if frame.keyframe:
            units = [*sps, *pps, *units]
        data = start + start.join(units)
        assert demuxer.video(legacy(frame, data)).payload == frame.payload
    assert demuxer.configured == {Kind.VIDEO}


def test_a_length_that_looks_like_a_start_code_is_a_length(demuxer, media):
    frames = [frame for frame in media(noise=True).video if b"\0\0\1" in frame.payload[:4] or len(frame.payload) > 300]
    unit = annexb.split_lengths(frames[0].payload)[-1][:300]
    demuxer.video(flv.sequence_header(frames[0].config))
    payload = annexb.join([unit])
    assert payload.startswith(b"\0\0\1")
    assert demuxer.video(legacy(frames[0], payload)).payload == payload


def test_lengths_of_two_bytes_are_understood(demuxer, media):
    frame = media().video[0]
    record = bytearray(frame.config.extradata)
    record[4] = 0xFC | 1
    demuxer.video(b"\x17\0\0\0\0" + bytes(record))
    short = b"".join(len(u).to_bytes(2, "big") + u for u in annexb.split_lengths(frame.payload))
    assert demuxer.video(legacy(frame, short)).payload == frame.payload


def test_messages_without_a_slice_are_no_pictures(demuxer, media):
    frame = media().video[0]
    demuxer.video(flv.sequence_header(frame.config))
    sei = annexb.join([b"\x06\x05\x01\x00\x80"])
    for payload in (sei, stop_sets(frame), b"\0\0\0\0", b"\xff\xff\xff\xffx"):
        assert demuxer.video(legacy(frame, payload)) is None
    assert demuxer.video(legacy(frame, frame.payload)) is not None


def test_h265_sets_in_the_sample_are_stripped(demuxer, media):
    frame = media(Codec.H265, None).video[0]
    sets = [unit for units in h265.parameter_sets(frame.config.extradata) for unit in units]
    sample = demuxer.video(b"\x93hvc1" + annexb.join([b"\x46\x01\x50", *sets]) + frame.payload)
    assert sample.payload == frame.payload
    assert sample.config.width == 160


@pytest.mark.parametrize("header", [b"", b"\0", b"\x01", b"\xff" * 600, b"\x12"])
def test_an_odd_aac_configuration_does_not_replace_a_good_one(demuxer, media, header):
    frame = media(None, Codec.AAC).audio[0]
    demuxer.audio(flv.sequence_header(frame.config))
    demuxer.audio(b"\xaf\0" + header)
    assert demuxer.audio(body(frame)).config.sample_rate == 48_000


def test_sound_without_configuration_is_left_out_and_adts_tells_its_own(demuxer, media):
    frame = media(None, Codec.AAC).audio[5]
    assert demuxer.audio(body(frame)) is None
    assert demuxer.configured == set()
    size = len(frame.payload) + 7
    adts = bytes((0xFF, 0xF1, 0x4C, 0x40 | size >> 11, size >> 3 & 255, (size & 7) << 5 | 31, 0xFC))
    sample = demuxer.audio(b"\xaf\1" + adts + frame.payload)
    assert sample.payload == frame.payload
    assert sample.config.sample_rate == 48_000


def test_a_changed_aac_configuration_is_a_new_track(demuxer, media):
    frame = media(None, Codec.AAC).audio[0]
    demuxer.audio(flv.sequence_header(frame.config))
    first = demuxer.audio(body(frame)).config
    demuxer.audio(b"\xaf\0\x12\x10")
    second = demuxer.audio(body(frame)).config
    assert (first.sample_rate, second.sample_rate, second.channels) == (48_000, 44_100, 2)


@pytest.mark.parametrize(
    ("packet", "samples"),
    [(b"\x00", 480), (b"\x18", 2880), (b"\x60", 480), (b"\x68", 960), (b"\x80", 120), (b"\xf9", 1920), (b"\xfb\x03", 2880)],
)
def test_opus_packets_tell_their_length(demuxer, media, packet, samples):
    demuxer.audio(flv.sequence_header(media(None, Codec.OPUS).audio[0].config))
    assert demuxer.audio(b"\x91Opus" + packet).duration == samples


def test_what_cannot_be_served_is_named(demuxer):
    demuxer.video(b"\x91vp09frame")
    demuxer.audio(b"\xbf")
    assert demuxer.unsupported == {Kind.VIDEO: "VP9 video", Kind.AUDIO: "Speex sound"}
    assert demuxer.configured == set()


@on_own_thread
def muxed(video: Codec, audio: Codec) -> list[tuple[int, bytes]]:
    """Type and body of every tag that FFmpeg's own FLV muxer writes."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as out:
        name, options = {
            Codec.H265: ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=1"}),
            Codec.AV1: ("libsvtav1", {"preset": "12"}),
        }[video]
        pictures = out.add_stream(name, rate=25, options=options)
        pictures.width, pictures.height, pictures.pix_fmt = 160, 120, "yuv420p"
        sound = out.add_stream("libopus" if audio is Codec.OPUS else "aac", rate=48_000)
        sound.codec_context.layout = "mono"
        sound.codec_context.format = "s16" if audio is Codec.OPUS else "fltp"
        packets = []
        for number in range(25):
            picture = av.VideoFrame.from_ndarray(np.full((120, 160, 3), number * 9, np.uint8), format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            packets += pictures.encode(picture)
        for start in range(0, 48_000, 960):
            dtype = np.int16 if audio is Codec.OPUS else np.float32
            tone = av.AudioFrame.from_ndarray(np.zeros((1, 960), dtype), format=sound.codec_context.format.name, layout="mono")
            tone.sample_rate, tone.pts, tone.time_base = 48_000, start, Fraction(1, 48_000)
            packets += sound.encode(tone)
        out.mux(packets + pictures.encode(None) + sound.encode(None))
    return tags_of(file.getvalue())


def tags_of(data: bytes) -> list[tuple[int, bytes]]:
    at, tags = 13, []
    while at + 11 <= len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        tags.append((data[at], data[at + 11 : at + 11 + size]))
        at += 11 + size + 4
    return tags


@pytest.mark.parametrize(("video", "audio"), [(Codec.H265, Codec.AAC), (Codec.AV1, Codec.OPUS)])
def test_what_ffmpeg_muxes_as_enhanced_rtmp_decodes(demuxer, video, audio):
    pictures, sounds = [], []
    for kind, message in muxed(video, audio):
        if kind == chunk.VIDEO and (sample := demuxer.video(message)) is not None:
            pictures.append(sample)
        if kind == chunk.AUDIO and (sample := demuxer.audio(message)) is not None:
            sounds.append(sample)
    assert {sample.config.codec for sample in pictures} == {video}
    assert {sample.config.codec for sample in sounds} == {audio}
    assert len(pictures) == 25
    assert sum(sample.duration for sample in sounds) in range(47_000, 52_000)
    decoder = av.CodecContext.create({Codec.H265: "hevc", Codec.AV1: "libdav1d"}[video], "r")
    decoder.extradata = pictures[0].config.extradata
    packets = [av.Packet(sample.payload) for sample in pictures]
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    assert [(frame.width, frame.height) for frame in decoded] == [(160, 120)] * 25
    assert (pictures[0].config.width, pictures[0].config.height) == (160, 120)


def test_of_several_tracks_the_first_is_taken(demuxer, media):
    """As FFmpeg 8 writes them: the first track plain, the others as multitrack messages."""
    file = io.BytesIO()
    with av.open(file, "w", format="flv") as out:
        video = [out.add_stream("libx264", rate=25, options={"preset": "ultrafast"}) for _ in range(2)]
        audio = [out.add_stream("aac", rate=48_000) for _ in range(2)]
        for number, stream in enumerate(video, 1):
            stream.width, stream.height, stream.pix_fmt = 160 * number, 120, "yuv420p"
        for stream in audio:
            stream.codec_context.layout, stream.codec_context.format = "stereo", "fltp"
        for number in range(25):
            for stream in video:
                picture = av.VideoFrame.from_ndarray(np.full((120, stream.width, 3), number * 9, np.uint8), format="rgb24")
                picture.pts, picture.time_base = number, Fraction(1, 25)
                out.mux(stream.encode(picture))
            for stream in audio:
                for start in range(number * 1920, number * 1920 + 1920, 960):
                    tone = av.AudioFrame.from_ndarray(np.zeros((2, 960), np.float32), format="fltp", layout="stereo")
                    tone.sample_rate, tone.pts, tone.time_base = 48_000, start, Fraction(1, 48_000)
                    out.mux(stream.encode(tone))
        out.mux([packet for stream in (*video, *audio) for packet in stream.encode(None)])
    tags = tags_of(file.getvalue())
    assert any(kind == chunk.VIDEO and body[0] & 0x8F == 0x86 for kind, body in tags), "FFmpeg wrote no multitrack message"
    pictures = [one for kind, body in tags if kind == chunk.VIDEO and (one := demuxer.video(body)) is not None]
    sounds = [one for kind, body in tags if kind == chunk.AUDIO and (one := demuxer.audio(body)) is not None]
    assert len(pictures) == 25 and {(one.config.width, one.config.height) for one in pictures} == {(160, 120)}
    assert sum(one.duration for one in sounds) in range(47_000, 52_000)
    assert not demuxer.unsupported


@settings(max_examples=150)
@given(data=st.data())
def test_damaged_messages_raise_nothing(media, data):
    demuxer = FlvDemuxer()
    frames = media(data.draw(st.sampled_from([Codec.H264, Codec.H265])), Codec.AAC, seconds=1).frames
    headers = {frame.kind: flv.sequence_header(frame.config) for frame in frames}
    for frame in frames[:6]:
        for message in (headers[frame.kind], body(frame)):
            damaged = bytearray(message[: data.draw(st.integers(0, len(message)))] if data.draw(st.booleans()) else message)
            if damaged:
                at = data.draw(st.integers(0, min(len(damaged) - 1, 60)))
                damaged[at] = data.draw(st.integers(0, 255))
            demuxer.video(bytes(damaged))
            demuxer.audio(bytes(damaged))


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([b"", b"\x17\0\0\0\0", b"\x90hvc1", b"\x90av01", b"\x91av01", b"\xaf\0"]),
            st.binary(max_size=60),
        )
    )
)
def test_random_messages_raise_nothing(messages):
    demuxer = FlvDemuxer()
    for is_video, prefix, rest in messages:
        (demuxer.video if is_video else demuxer.audio)(prefix + rest)
