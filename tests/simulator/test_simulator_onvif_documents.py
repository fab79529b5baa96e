"""Shared parts of ONVIF answers: what users wrote is escaped, units are ONVIF's."""

from __future__ import annotations

from dataclasses import replace

from gateway.media.track import Codec
from gateway.simulator.onvif_documents import MediaProfile, network_interface, profile1, profile2, video_encoder1
from gateway.simulator.onvif_face import identity_of
from gateway.simulator.soap import envelope, parse_xml, text_of
from gateway.simulator.video_codec import VideoSpec

PROFILE = MediaProfile("main", 'A "name" <&>', "/main", VideoSpec(bframes=2), Codec.AAC)


def test_names_are_escaped():
    for content in (profile1(PROFILE, PROFILE.video, "Profiles"), profile2(PROFILE, PROFILE.video, frozenset({"All"}))):
        assert text_of(parse_xml(envelope(content)), "Name") == 'A "name" <&>'


def test_rates_are_in_kilobits_and_kilohertz():
    root = parse_xml(envelope(profile1(PROFILE, PROFILE.video, "Profiles")))
    assert text_of(root, "BitrateLimit") == "2000"
    assert text_of(root, "SampleRate") == "16"


def test_the_h264_profile_follows_the_b_frames():
    assert "<tt:H264Profile>Main<" in video_encoder1(PROFILE)
    assert "<tt:H264Profile>Baseline<" in video_encoder1(replace(PROFILE, video=VideoSpec()))


def test_a_silent_camera_declares_no_microphone():
    silent = replace(PROFILE, audio=None)
    assert "Audio" not in profile1(silent, silent.video, "Profiles")
    assert "Audio" not in profile2(silent, silent.video, frozenset({"All"}))


def test_ipv6_addresses_are_no_ipv4_configuration():
    assert "Manual" not in network_interface(identity_of("Yard"), "fe80::1")
    parse_xml(envelope(network_interface(identity_of("Yard"), "192.0.2.1")))


def test_scopes_are_uris():
    assert all(" " not in scope and "&" not in scope for scope in identity_of("Hof & Tor").scopes)
