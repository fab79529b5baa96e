"""Profiles and their choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import NoVideo
from gateway.onvif import reader
from gateway.onvif.media import Profile, choose_profiles, parse_profiles


def profile(token, width, height, codec="h264", source="1"):
    return Profile(token, token, codec, width, height, 25.0, source=source)


def tokens(profiles, **options):
    main, sub = choose_profiles(profiles, **options)
    return main.token, sub.token if sub else None


def test_largest_and_the_one_for_tiles():
    found = [profile("s", 352, 288), profile("m", 1920, 1080), profile("t", 640, 360), profile("u", 1280, 720)]
    assert tokens(found) == ("m", "t")


def test_h264_is_preferred_for_tiles():
    assert tokens([profile("m", 1920, 1080), profile("a", 640, 360, "h265"), profile("b", 704, 576)]) == ("m", "b")
    assert tokens([profile("m", 1920, 1080), profile("a", 640, 360, "h265")]) == ("m", "a")


def test_one_profile_has_no_sub():
    assert tokens([profile("m", 1920, 1080)]) == ("m", None)
    assert tokens([profile("m", 1920, 1080), profile("n", 1920, 1080)]) == ("m", None)


def test_motion_jpeg_cannot_be_served():
    assert tokens([profile("j", 3840, 2160, "mjpeg"), profile("m", 1280, 720)]) == ("m", None)
    assert tokens([profile("j", 640, 360, "mjpeg")]) == ("j", None)


@pytest.mark.quirk(42)
def test_h265_is_not_filtered():
    assert tokens([profile("m", 3840, 2160, "h265")]) == ("m", None)


def test_sub_is_of_the_same_channel_of_a_recorder():
    found = [profile("1m", 1920, 1080), profile("2s", 640, 360, source="2"), profile("1s", 352, 288)]
    assert tokens(found) == ("1m", "1s")


def test_tokens_override():
    found = [profile("m", 1920, 1080), profile("t", 640, 360), profile("u", 1280, 720)]
    assert tokens(found, main="u") == ("u", "t")
    assert tokens(found, sub="u") == ("m", "u")
    with pytest.raises(NoVideo, match="no profile 'x'; it has m, t, u"):
        choose_profiles(found, main="x")


def test_nothing_to_choose_from():
    with pytest.raises(NoVideo):
        choose_profiles([])


def test_unknown_size_is_used_when_there_is_nothing_else():
    assert tokens([Profile("m", "m", None, 0, 0, 0.0)]) == ("m", None)


def test_profile_without_encoder_is_kept_because_h265_is_hidden_so():
    text = (
        "<R><Profiles token='a'><VideoSourceConfiguration><SourceToken>v</SourceToken></VideoSourceConfiguration>"
        "</Profiles><Profiles token='b'><AudioEncoderConfiguration/></Profiles><Profiles/></R>"
    )
    (found,) = parse_profiles(reader.parse(text.encode()))
    assert (found.token, found.codec, found.source, found.pixels) == ("a", None, "v", 0)


def test_codec_words():
    text = "".join(
        f"<Profiles token='{n}'><Configurations><VideoEncoder><Encoding>{word}</Encoding></VideoEncoder>"
        "</Configurations></Profiles>"
        for n, word in enumerate(["H264", "H.265", "video/H265", "JPEG", "MPV4-ES", ""])
    )
    found = parse_profiles(reader.parse(f"<R>{text}</R>".encode()))
    assert [p.codec for p in found] == ["h264", "h265", "h265", "mjpeg", "mpv4es", None]


sizes = st.integers(min_value=0, max_value=8000)
codecs = st.sampled_from(["h264", "h265", "mjpeg", None])


@given(st.lists(st.tuples(sizes, sizes, codecs, st.sampled_from("12")), min_size=1))
def test_choice_always_holds_what_it_promises(found):
    profiles = [profile(str(n), w, h, codec, source) for n, (w, h, codec, source) in enumerate(found)]
    main, sub = choose_profiles(profiles)
    assert sub is None or (sub.servable and sub.source == main.source and 0 < sub.pixels < main.pixels)
    assert main.servable or not any(p.servable for p in profiles)
