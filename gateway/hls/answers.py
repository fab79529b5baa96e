"""What HLS clients are sent: header fields and bodies of playlists and media. Pure. Event loop only."""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.hls.channel import Channel, Text
from gateway.hls.window import Window
from gateway.http.messages import Response

MEDIA_MAX_AGE_TARGETS = 6
MEDIA_MAX_AGE_MIN_S = 60
"""Cache lifetime of media: six target durations (App. B.1), a minute at least. The names are never used twice. `private`: a
cache that others share would go on handing out pictures to somebody who may see them no longer and counts the names up."""

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
MEDIA_TYPE = "video/mp4"

CORS = (
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "content-length, content-range, etag, retry-after"),
)
PLAYLIST_FIELDS = (*CORS, ("content-type", PLAYLIST_TYPE), ("cache-control", "no-cache"), ("vary", "accept-encoding"))
GZIP_PLAYLIST_FIELDS = (*PLAYLIST_FIELDS, ("content-encoding", "gzip"))

MEDIA_FIELDS = (("content-type", MEDIA_TYPE), ("accept-ranges", "bytes"))

_MEDIA_NAME = re.compile(r"s(?P<msn>\d{1,18})(?:\.p(?P<part>\d{1,9}))?\.m4s|init-(?P<map>\d{1,9})\.mp4", re.ASCII)


def playlist(text: Text, *, compressed: bool) -> Response:
    """A playlist."""
    if compressed:
        return Response(200, text.gzip, GZIP_PLAYLIST_FIELDS)
    return Response(200, text.plain, PLAYLIST_FIELDS)


def media_name(name: str) -> re.Match[str] | None:
    """The name of a media file taken apart into `msn`, `part`, `map`; None if it is none."""
    return _MEDIA_NAME.fullmatch(name)


def hinted(name: re.Match[str]) -> tuple[int, int] | None:
    """MSN and index if the name is that of a part."""
    return None if name["part"] is None else (int(name["msn"]), int(name["part"]))


def media(channel: Channel, window: Window, name: re.Match[str]) -> Response | None:
    """A segment, part or initialisation segment; None if there is none of that name (yet)."""
    body: bytes | None
    if name["map"] is not None:
        body = window.map(int(name["map"]))
    elif name["part"] is None:
        body = channel.segment_payload(window, int(name["msn"]))
    else:
        segment, index = window.segment(int(name["msn"])), int(name["part"])
        body = segment.parts[index].payload if segment is not None and index < len(segment.parts) else None
    return None if body is None else Response(200, body, (*MEDIA_FIELDS, *media_fields(window, name)))


def media_fields(window: Window, name: re.Match[str]) -> tuple[tuple[str, str], ...]:
    """Header fields of a media file, also for 304."""
    max_age_s = max(MEDIA_MAX_AGE_MIN_S, MEDIA_MAX_AGE_TARGETS * window.cutter.target_duration)
    return (*CORS, ("cache-control", f"private, max-age={max_age_s}, immutable"), ("etag", media_etag(window, name)))


def media_etag(window: Window, name: re.Match[str]) -> str:
    """The entity tag of a media file."""
    return f'"{window.run_id}-{name[0]}"'


@lru_cache(maxsize=64)
def accepts_gzip(header: str) -> bool:
    """Whether an Accept-Encoding field allows gzip (RFC 9110 section 12.5.3)."""
    for item in header.lower().split(","):
        name, _, parameters = item.partition(";")
        if name.strip() == "gzip":
            return re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", parameters) is None
    return False
