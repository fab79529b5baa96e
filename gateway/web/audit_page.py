"""`/audit`: who did what, for the admin. Rendered on the server, without scripts of its own. Worker threads."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, make_response, render_template

from gateway.access.audit import EVENTS
from gateway.access.grants import Right
from gateway.web.caller import access
from gateway.web.rights import needs

audit_page = Blueprint("audit_page", __name__)

PATH = "/audit"
SHOWN_ENTRIES = 200


@audit_page.get(PATH)
@needs(Right.ADMIN)
def show() -> Response:
    """The newest entries."""
    entries = [
        {
            **entry,
            "known": entry["event"] in EVENTS,
            "time": _local(float(entry["at"])),
            "told": _told(entry["detail"]),
        }
        for entry in access().audit.newest(SHOWN_ENTRIES)
    ]
    response = make_response(render_template("audit.html", entries=entries, now=time.strftime("%Y-%m-%d %H:%M:%S")))
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(detail: dict[str, Any]) -> str:
    """The details in a few words: values speak for themselves, but for times and lists."""
    told = []
    for key, value in detail.items():
        if key == "expires" and isinstance(value, int | float):
            told.append(f"– {_local(float(value))}")
        elif isinstance(value, list):
            told.append(", ".join(str(one) for one in value))
        else:
            told.append(str(value))
    return ", ".join(told)


def _local(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))
