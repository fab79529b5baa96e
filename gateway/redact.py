"""Takes credentials out of text on its way out (logs, errors, API). Stored values stay as they are.

Redacting stored values broke authentication in other servers, so this is only ever applied to output.
"""

from __future__ import annotations

import re

_USERINFO = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<userinfo>[^/?#\s'\"]*)@")
_QUERY = re.compile(r"(?i)(?P<name>[?&;](?:user(?:name)?|pass(?:word)?|pwd|token|auth|key|secret|u|p)=)[^&;#\s'\"]*")

HIDDEN = "***"


def redact(text: str, *secrets: str) -> str:
    """`text` without URL credentials, secret query values and any of the given `secrets`."""
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}@", text)
    text = _QUERY.sub(rf"\g<name>{HIDDEN}", text)
    for secret in secrets:
        if len(secret) >= 3:
            text = text.replace(secret, HIDDEN)
    return text
