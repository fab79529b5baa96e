"""Writes media and multivariant playlists. Pure; called on the event loop, once per change and query.

draft-pantos-hls-rfc8216bis. EXT-X-VERSION is 6, all that EXT-X-MAP asks for (the low-latency tags demand none), and 9 in a
delta update. Cost: about 60 microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.hls.segment import Part, Segment, map_name, part_name, segment_name
from gateway.media.track import Tracks

VERSION = 6
DELTA_VERSION = 9
"""EXT-X-SKIP asks for it (section 8)."""
SKIP_TARGETS = 6
"""The Skip Boundary in target durations: the least that is allowed (4.4.3.8)."""
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
    skippable: bool = False
    """Delta updates are offered. The same for the life of the playlist."""


def media_playlist(playlist: MediaPlaylist, suffix: str = "", *, delta: bool = False) -> str:
    """The media playlist. `suffix` (`?token=...`) is appended to every URI.

    With `delta`, segments before the Skip Boundary are replaced by EXT-X-SKIP; if there is none, the whole is given (6.2.5.1).
    """
    target, part_us = playlist.target_duration, playlist.part_target_us
    skipped = _before_boundary(playlist) if delta and playlist.skippable else 0
    can_skip = f",CAN-SKIP-UNTIL={_seconds(target * SKIP_TARGETS * 1_000_000)}" if playlist.skippable else ""
    lines = [
        "#EXTM3U",
        f"#EXT-X-VERSION:{DELTA_VERSION if skipped else VERSION}",
        f"#EXT-X-TARGETDURATION:{target}",
        f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_seconds(part_us * HOLD_BACK_TARGETS)},"
        f"HOLD-BACK={_seconds(target * HOLD_BACK_TARGETS * 1_000_000)}{can_skip}",
        f"#EXT-X-PART-INF:PART-TARGET={_seconds(part_us)}",
        f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}",
    ]
    if skipped:
        lines.append(f"#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")
    segments = playlist.segments[skipped:]
    to_end_us = sum(segment.duration_us for segment in segments)
    # The first segment after a skip names its map again: the draft does not say whether a skipped EXT-X-MAP goes on applying.
    map_index = None
    for segment in segments:
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


def _before_boundary(playlist: MediaPlaylist) -> int:
    """How many segments end before the Skip Boundary."""
    left_us = playlist.target_duration * SKIP_TARGETS * 1_000_000
    for index in range(len(playlist.segments) - 1, -1, -1):
        if left_us <= 0:
            return index + 1
        left_us -= playlist.segments[index].duration_us
    return 0


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
