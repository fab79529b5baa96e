"""The text of playlists."""

from dataclasses import replace

from playlist_linter import Linter, attributes, parse
from synthetic import AUDIO, VIDEO

from gateway.hls.playlist import MediaPlaylist, media_playlist, multivariant_playlist
from gateway.hls.segment import Part, Segment
from gateway.media.fragment import Fragment, TrackRun


def segment(msn: int, *, parts: int = 10, complete: bool = True, discontinuity: bool = False, map_index: int = 1) -> Segment:
    made = Segment(msn, map_index, discontinuity, 1_700_000_000.1234 + 2 * msn)
    for index in range(parts):
        made.add(Part(200_000, index == 0, Fragment(index, [TrackRun(1, 0, ())])))
    made.complete = complete
    return made


def playlist(*segments: Segment, next_part: tuple[int, int] = (5, 0)) -> MediaPlaylist:
    return MediaPlaylist("run/", 2, 210_000, segments[0].msn, 7, segments, next_part)


def test_whole_text_of_a_small_playlist() -> None:
    text = media_playlist(playlist(segment(4), segment(5, parts=1, complete=False), next_part=(5, 1)), "?token=a")
    lines = text.splitlines()
    assert lines[:9] == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=0.630000,HOLD-BACK=6.000000",
        "#EXT-X-PART-INF:PART-TARGET=0.210000",
        "#EXT-X-MEDIA-SEQUENCE:4",
        "#EXT-X-DISCONTINUITY-SEQUENCE:7",
        '#EXT-X-MAP:URI="run/init-1.mp4?token=a"',
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:28.123Z",
    ]
    assert lines[9] == '#EXT-X-PART:DURATION=0.200000,URI="run/s4.p0.m4s?token=a",INDEPENDENT=YES'
    assert lines[10] == '#EXT-X-PART:DURATION=0.200000,URI="run/s4.p1.m4s?token=a"'
    assert lines[19:] == [
        "#EXTINF:2.000000,",
        "run/s4.m4s?token=a",
        "#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:30.123Z",
        '#EXT-X-PART:DURATION=0.200000,URI="run/s5.p0.m4s?token=a",INDEPENDENT=YES',
        '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="run/s5.p1.m4s?token=a"',
    ]
    parse(text)


def test_discontinuity_comes_first_then_map_then_date() -> None:
    text = media_playlist(playlist(segment(3), segment(4, discontinuity=True, map_index=2)))
    lines = text.splitlines()
    at = lines.index("#EXT-X-DISCONTINUITY")
    assert [line.partition(":")[0] for line in lines[at : at + 4]] == [
        "#EXT-X-DISCONTINUITY", "#EXT-X-MAP", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-PART",
    ]  # fmt: skip


def test_parts_far_from_the_end_are_not_listed() -> None:
    parsed = parse(media_playlist(playlist(*(segment(msn) for msn in range(9)), next_part=(9, 0))))
    assert [bool(one.parts) for one in parsed.segments] == [False] * 7 + [True] * 2


def test_multivariant_playlist_says_what_apple_asks_for() -> None:
    text = multivariant_playlist((VIDEO, AUDIO), peak=900, average=800, frame_rate=25.0, independent=True, suffix="?token=a")
    lines = text.splitlines()
    assert lines[:3] == ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-INDEPENDENT-SEGMENTS"]
    assert attributes(lines[3].removeprefix("#EXT-X-STREAM-INF:")) == {
        "BANDWIDTH": "900",
        "AVERAGE-BANDWIDTH": "800",
        "CODECS": "avc1.64000C,mp4a.40.2",
        "RESOLUTION": "320x176",
        "FRAME-RATE": "25.000",
    }
    assert lines[4] == "live.m3u8?token=a"


def test_long_gops_are_not_claimed_to_be_independent() -> None:
    text = multivariant_playlist((VIDEO,), peak=0, average=0, frame_rate=0.0, independent=False)
    assert "INDEPENDENT" not in text
    assert "FRAME-RATE" not in text
    assert "mp4a" not in text


def long_playlist() -> MediaPlaylist:
    """Nine whole segments of 2 s and one part: a Skip Boundary of 12 s leaves three segments before it."""
    segments = [segment(msn, discontinuity=msn in (5, 10), map_index=1 + (msn >= 5) + (msn >= 10)) for msn in range(4, 13)]
    segments.append(segment(13, parts=1, complete=False, map_index=3))
    return replace(playlist(*segments, next_part=(13, 1)), skippable=True)


def test_delta_update_leaves_out_whole_segments_before_the_skip_boundary() -> None:
    lines = media_playlist(long_playlist(), delta=True).splitlines()
    assert "#EXT-X-VERSION:9" in lines
    assert "#EXT-X-SKIP:SKIPPED-SEGMENTS=3" in lines
    assert "#EXT-X-MEDIA-SEQUENCE:4" in lines, "the skipped segments still count"
    assert [line for line in lines if line.endswith(".m4s")] == [f"run/s{msn}.m4s" for msn in range(7, 13)]


def test_client_that_merges_a_delta_update_has_the_whole_playlist() -> None:
    linter, whole = Linter(), media_playlist(long_playlist())
    linter.check(whole)
    assert linter.check(media_playlist(long_playlist(), delta=True)).segments == parse(whole).segments


def test_delta_update_with_nothing_before_the_boundary_is_the_whole_playlist() -> None:
    short = replace(playlist(segment(4), segment(5), segment(6), next_part=(7, 0)), skippable=True)
    assert media_playlist(short, delta=True) == media_playlist(short)
    assert "CAN-SKIP-UNTIL=12.000000" in media_playlist(short)


def test_delta_update_is_not_given_where_it_is_not_offered() -> None:
    plain = replace(long_playlist(), skippable=False)
    assert media_playlist(plain, delta=True) == media_playlist(plain)
    assert "CAN-SKIP-UNTIL" not in media_playlist(plain)
