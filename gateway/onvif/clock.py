"""The camera's idea of the time, which signed requests have to follow. Pure; any thread.

A WS-Security digest is refused when its time is off by as little as 5 s, and many cameras have no NTP. So the time is
asked first (anonymously), and the difference is added to every token.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from gateway.onvif.reader import Node

ZONE_STEP_S = 900.0
"""All time zones are whole quarters of an hour from UTC."""
ZONE_TOLERANCE_S = 60.0
MAX_ZONE_S = 14 * 3600.0

_POSIX_ZONE = re.compile(r"^(?:<[^>]*>|[A-Za-z]*)\s*([+-]?)(\d{1,2})(?::(\d{2}))?")


def camera_time(reply: Node) -> float | None:
    """Unix seconds from a GetSystemDateAndTimeResponse; None if it tells nothing usable.

    Real values include `00:61:16`, month 13 and `0000-00-00`: overflow is carried, nonsense is ignored.
    """
    if (utc := reply.find("UTCDateTime")) is not None and (seconds := _date_time(utc)) is not None:
        return seconds
    if (local := reply.find("LocalDateTime")) is not None and (seconds := _date_time(local)) is not None:
        zone = reply.find("TZ")
        return seconds - (_zone_offset_s(zone.text) if zone is not None else 0.0)
    return None


def http_date(value: str | None) -> float | None:
    """Unix seconds of an HTTP `Date` header; None if it is missing or unreadable."""
    try:
        moment = parsedate_to_datetime(value) if value else None
    except (ValueError, TypeError, OverflowError):
        return None
    if moment is None:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def is_zone_like(offset_s: float) -> bool:
    """Whether a clock offset is a time zone's: then the camera probably reports local time as UTC (OpenIPC)."""
    nearest = round(offset_s / ZONE_STEP_S) * ZONE_STEP_S
    return 0 < abs(nearest) <= MAX_ZONE_S and abs(offset_s - nearest) <= ZONE_TOLERANCE_S


def zulu(unix_s: float) -> str:
    """`2026-01-02T03:04:05Z`: Hikvision refuses a numeric zone, others refuse fractions."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _date_time(node: Node) -> float | None:
    date, time = node.child("Date"), node.child("Time")
    if date is None or time is None:
        return None
    year, month, day = (int(date.number_at(name)) for name in ("Year", "Month", "Day"))
    hour, minute, second = (int(time.number_at(name)) for name in ("Hour", "Minute", "Second"))
    if not (1970 <= year <= 2200 and 1 <= month <= 24 and 1 <= day <= 62):
        return None
    if not (0 <= hour <= 48 and 0 <= minute <= 120 and 0 <= second <= 120):
        return None
    years, month_index = divmod(month - 1, 12)
    first = datetime(year + years, month_index + 1, 1, tzinfo=UTC)
    return (first + timedelta(days=day - 1, hours=hour, minutes=minute, seconds=second)).timestamp()


def _zone_offset_s(zone: str) -> float:
    """Seconds east of UTC of a POSIX zone; its sign is the other way round (`CST-8` is UTC+8). Summer time unknown."""
    match = _POSIX_ZONE.match(zone.strip())
    if match is None:
        return 0.0
    sign, hours, minutes = match.groups()
    seconds = int(hours) * 3600.0 + int(minutes or 0) * 60.0
    return seconds if sign == "-" else -seconds
