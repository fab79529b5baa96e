"""Shared parts of ONVIF answers: what users wrote is escaped, units are ONVIF's."""

from __future__ import annotations

from dataclasses import replace

from gateway.media.track import Codec
from gateway.onvif.face.documents import profile1, profile2, video_encoder1, video_encoder_options1
from gateway.onvif.face.profiles import AudioFormat, MediaProfile, VideoFormat, sources
from gateway.onvif.face.soap import envelope, parse_xml, text_of

VIDEO = VideoFormat(Codec.H264, 1280, 720, 25, 50, 2_000_000)
PROFILE = MediaProfile("main", 'A "name" <&>', "/main", "/main.jpg", "cam", VIDEO, AudioFormat(Codec.AAC, 32_000, 16_000))


def test_names_are_escaped():
    for content in (profile1(PROFILE, VIDEO, "Profiles"), profile2(PROFILE, VIDEO, frozenset({"All"}))):
        assert text_of(parse_xml(envelope(content)), "Name") == 'A "name" <&>'


def test_rates_are_in_kilobits_and_kilohertz():
    root = parse_xml(envelope(profile1(PROFILE, VIDEO, "Profiles")))
    assert text_of(root, "BitrateLimit") == "2000"
    assert text_of(root, "SampleRate") == "16"


def test_media1_says_nothing_of_an_encoder_it_has_no_word_for():
    modern = replace(PROFILE, video=replace(VIDEO, codec=Codec.H265))
    assert "VideoEncoderConfiguration" not in profile1(modern, VIDEO, "Profiles")
    assert "H265" in profile2(modern, VIDEO, frozenset({"All"}))
    assert "H264" not in video_encoder_options1([modern])
    assert "H264" in video_encoder1(PROFILE, "tt:X")


def test_a_silent_camera_declares_no_microphone():
    silent = replace(PROFILE, audio=None)
    assert "Audio" not in profile1(silent, VIDEO, "Profiles")
    assert "Audio" not in profile2(silent, VIDEO, frozenset({"All"}))


def test_the_first_profile_of_a_source_is_its_picture():
    sub = replace(PROFILE, token="sub", video=replace(VIDEO, width=640))
    other = replace(PROFILE, token="other", source="cam2")
    assert sources((PROFILE, sub, other)) == {"cam": PROFILE, "cam2": other}
