"""Writes media and multivariant playlists. Pure; called on the event loop, once per change and query.

draft-pantos-hls-rfc8216bis. EXT-X-VERSION is 6, all that EXT-X-MAP asks for: the low-latency tags demand none. No delta
updates: the window is short, and players have stumbled over deltas with discontinuities. Cost: about 60 microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.hls.segment import Part, Segment, map_name, part_name, segment_name
from gateway.media.track import Tracks

VERSION = 6
HOLD_BACK_TARGETS = 3
"""HOLD-BACK in target durations, PART-HOLD-BACK in part targets: the least that is allowed, Apple's minimum."""
PARTS_LISTED_TARGETS = 3
"""Parts further than this many target durations from the end are not listed any more (6.2.1), nor those
further back than as many segments, the coming one included: players at the edge need no more, and validators count so."""
MEDIA_PLAYLIST = "live.m3u8"


@dataclass(frozen=True, slots=True)
class MediaPlaylist:
    """Everything a media playlist says. `base` is the folder of the media, relative to the playlist."""

    base: str
    target_duration: int
    part_target_us: int
    media_sequence: int
    discontinuity_sequence: int
    segments: Sequence[Segment]
    next_part: tuple[int, int]


def media_playlist(playlist: MediaPlaylist, suffix: str = "") -> str:
    """The media playlist. `suffix` (`?token=...`) is appended to every URI."""
    target, part_us = playlist.target_duration, playlist.part_target_us
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_seconds(part_us * HOLD_BACK_TARGETS)},"
        f"HOLD-BACK={_seconds(target * HOLD_BACK_TARGETS * 1_000_000)}",
        f"#EXT-X-PART-INF:PART-TARGET={_seconds(part_us)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}",
    ]
    to_end_us = sum(segment.duration_us for segment in playlist.segments)
    map_index = None
    for segment in playlist.segments:
        if segment.discontinuity:
            lines.append("#EXT-X-DISCONTINUITY")
        if segment.map_index != map_index:
            map_index = segment.map_index
            lines.append(f'#EXT-X-MAP:URI="{playlist.base}{map_name(map_index)}{suffix}"')
        lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{_date(segment.program_date_time)}")
        recent = playlist.next_part[0] - segment.msn < PARTS_LISTED_TARGETS
        if recent and to_end_us <= PARTS_LISTED_TARGETS * target * 1_000_000:
            lines.extend(
                _part(part, f"{playlist.base}{part_name(segment.msn, index)}{suffix}")
                for index, part in enumerate(segment.parts)
            )
        if segment.complete:
            lines.append(f"#EXTINF:{_seconds(segment.duration_us)},")
            lines.append(f"{playlist.base}{segment_name(segment.msn)}{suffix}")
        to_end_us -= segment.duration_us
    hint = part_name(*playlist.next_part)
    lines.append(f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{playlist.base}{hint}{suffix}"')
    return "\n".join(lines) + "\n"


def multivariant_playlist(
    tracks: Tracks, *, peak: int, average: int, frame_rate: float, independent: bool, suffix: str = ""
) -> str:
    """The multivariant playlist with its one variant. `peak` and `average` are bits per second, `frame_rate` 0 if unknown."""
    attributes = [f"BANDWIDTH={max(peak, 1)}", f"AVERAGE-BANDWIDTH={max(average, 1)}"]
    codecs = ",".join(track.codec_string for track in tracks if track.codec_string)
    if codecs:
        attributes.append(f'CODECS="{codecs}"')
    attributes += [f"RESOLUTION={track.width}x{track.height}" for track in tracks if track.width and track.height]
    if frame_rate > 0:
        attributes.append(f"FRAME-RATE={frame_rate:.3f}")
    lines = ["#EXTM3U", f"#EXT-X-VERSION:{VERSION}"]
    if independent:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    lines.append(f"#EXT-X-STREAM-INF:{','.join(attributes)}")
    lines.append(f"{MEDIA_PLAYLIST}{suffix}")
    return "\n".join(lines) + "\n"


def _part(part: Part, uri: str) -> str:
    flags = ",INDEPENDENT=YES" if part.independent else ""
    return f'#EXT-X-PART:DURATION={_seconds(part.duration_us)},URI="{uri}"{flags}'


def _seconds(microseconds: int) -> str:
    return f"{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"


def _date(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
