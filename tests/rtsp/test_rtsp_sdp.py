"""Session descriptions, line by line."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.media.track import Codec, TrackConfig
from gateway.rtsp.sdp import describe, offer_tracks

AAC = TrackConfig(Codec.AAC, 48_000, b"\x11\x90", "mp4a.40.2", sample_rate=48_000, channels=2)
PCMU = TrackConfig(Codec.PCMU, 8000, b"", "", sample_rate=8000, channels=1)


def lines(*tracks: TrackConfig) -> list[str]:
    text = describe(offer_tracks(tracks), address="192.0.2.1", session_id=5, name="Front\r\ndoor")
    assert text.endswith("\r\n")
    return text.split("\r\n")[:-1]


def test_h264_and_aac(video_footage: Callable[..., Any]) -> None:
    config = video_footage(Codec.H264).config
    text = lines(config, AAC)
    assert text[:7] == [
        "v=0",
        "o=- 5 1 IN IP4 192.0.2.1",
        "s=Front door",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
    ]
    video, audio = text[7:12], text[12:]
    assert video[:2] == ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"]
    assert video[2].startswith(f"a=fmtp:96 packetization-mode=1; profile-level-id={config.extradata[1:4].hex().upper()}; ")
    sets = [base64.b64decode(one) for one in video[2].partition("sprop-parameter-sets=")[2].split(",")]
    assert [unit[0] & 0x1F for unit in sets] == [7, 8]
    assert video[3:] == ["a=recvonly", "a=control:trackID=0"]
    assert audio == [
        "m=audio 0 RTP/AVP 97",
        "a=rtpmap:97 MPEG4-GENERIC/48000/2",
        "a=fmtp:97 streamtype=5; profile-level-id=1; mode=AAC-hbr; sizelength=13; indexlength=3; "
        "indexdeltalength=3; config=1190",
        "a=recvonly",
        "a=control:trackID=1",
    ]


def test_h265_names_all_three_parameter_sets(video_footage: Callable[..., Any]) -> None:
    text = lines(video_footage(Codec.H265).config)
    assert "a=rtpmap:96 H265/90000" in text
    parameters = dict(part.split("=", 1) for part in text[9].removeprefix("a=fmtp:96 ").split("; "))
    kinds = [base64.b64decode(parameters[name])[0] >> 1 for name in ("sprop-vps", "sprop-sps", "sprop-pps")]
    assert kinds == [32, 33, 34]


@pytest.mark.parametrize(
    ("config", "media", "rtpmap"),
    [
        (PCMU, "m=audio 0 RTP/AVP 0", "a=rtpmap:0 PCMU/8000"),
        (dataclasses.replace(PCMU, codec=Codec.PCMA), "m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/8000"),
        (dataclasses.replace(PCMU, clock_rate=16_000), "m=audio 0 RTP/AVP 97", "a=rtpmap:97 PCMU/16000"),
        (dataclasses.replace(PCMU, channels=2), "m=audio 0 RTP/AVP 97", "a=rtpmap:97 PCMU/8000/2"),
    ],
)
def test_g711_has_its_static_number_only_at_8_khz_mono(config: TrackConfig, media: str, rtpmap: str) -> None:
    text = lines(config)
    assert media in text
    assert rtpmap in text


def test_a_picture_that_cannot_be_carried_is_not_replaced_by_its_sound() -> None:
    assert offer_tracks((TrackConfig(Codec.AV1, 90_000, b"", ""), AAC)) == ()
    assert offer_tracks((TrackConfig(Codec.H264, 90_000, b"broken", ""), AAC)) == ()


def test_sound_that_cannot_be_carried_is_left_out(video_footage: Callable[..., Any]) -> None:
    config = video_footage(Codec.H264).config
    offer = offer_tracks((config, TrackConfig(Codec.OPUS, 48_000, b"", "")))
    assert [track.config for track in offer] == [config]


def test_new_parameter_sets_fit_the_old_description_and_new_sound_does_not(video_footage: Callable[..., Any]) -> None:
    video, audio = offer_tracks((video_footage(Codec.H264).config, AAC))
    assert video.carries(dataclasses.replace(video.config, extradata=b"new", width=1))
    assert not video.carries(video_footage(Codec.H265).config)
    assert audio.carries(AAC)
    assert not audio.carries(dataclasses.replace(AAC, extradata=b"\x12\x10"))


def test_an_ipv6_server_says_so() -> None:
    text = describe(offer_tracks((PCMU,)), address="::1", session_id=1)
    assert "o=- 1 1 IN IP6 ::1" in text


@settings(deadline=None)  # a loaded machine is not a defect
@given(st.sampled_from([Codec.H264, Codec.H265]), st.binary(max_size=60))
def test_a_record_that_cannot_be_read_is_not_offered_and_harms_nobody(codec: Codec, record: bytes) -> None:
    for extradata in (record, b"\x01" + record):
        offer = offer_tracks((TrackConfig(codec, 90_000, extradata, ""),))
        assert not offer or describe(offer, address="192.0.2.1", session_id=1)
