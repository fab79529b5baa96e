"""Takes credentials out of text on its way out (logs, errors, API). Stored values stay as they are.

Redacting stored values broke authentication in other servers, so this is only ever applied to output.
"""

from __future__ import annotations

import re
from urllib.parse import quote

# Vendors print URLs whose password holds `/`, `?`, `#` or `@` as it is, so the last `@` before a host ends the credentials.
# The bounds keep it linear; user name and password have 127 characters at most.
_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{0,15}://)(?:[^\s'\"]{0,512}@(?=[\w\[.])|[^/?#\s'\"]{0,512}@)")
_NAMES = "user(?:name)?|usr|pass(?:word|wd)?|pwd|login(?:use|pas)|authbasic|token|auth|key|secret|u|p"
_QUERY = re.compile(rf"(?i)(?P<name>[?&;](?:{_NAMES})=)[^&;#\s'\"]*")
# XiongMai cameras and their many brands: `/user=admin_password=tlJwpbo6_channel=1_stream=0.sdp`
_PATH = re.compile(
    r"(?i)(?P<name>[/_&?](?:user(?:name)?|pass(?:word)?|pwd)=)[^/&?#\s'\"]*?"
    r"(?=_(?:password|channel|stream)=|[/&?#\s'\"]|$)"
)

_MARKED = re.compile(r"(?<=/~)[A-Za-z0-9_.-]{8,256}")
"""A token in the path of a playlist's names, see `gateway.http.guard`."""
_TOKEN = re.compile(r"\bcg_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
"""An API token, wherever it stands."""

HIDDEN = "***"
SHORT_CHARS = 3
"""A secret shorter than this is only hidden where it stands alone, else hardly a word would be left."""


def redact(text: str, *secrets: str) -> str:
    """`text` without URL credentials, secret query values and any of the given `secrets`, percent-encoded or not."""
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<name>{HIDDEN}", text)
    text = _PATH.sub(rf"\g<name>{HIDDEN}", text)
    text = _TOKEN.sub(HIDDEN, _MARKED.sub(HIDDEN, text))
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""))}
    for form in sorted(filter(None, forms), key=len, reverse=True):
        pattern = re.escape(form)
        text = re.sub(pattern if len(form) >= SHORT_CHARS else rf"(?<!\w){pattern}(?!\w)", HIDDEN, text)
    return text


def redact_line(text: str) -> str:
    """As `redact`, with control characters spelled out: a path that a peer chose must not begin a log line of its own."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in redact(text))
