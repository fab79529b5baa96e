"""`/audit`: who did what, for the admin. Rendered on the server, without scripts of its own. Worker threads."""

from __future__ import annotations

import time

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
            "time": time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(float(entry["at"]))),
            "told": ", ".join(f"{key} {value}" for key, value in (entry.get("detail") or {}).items()),
        }
        for entry in access().audit.newest(SHOWN_ENTRIES)
    ]
    response = make_response(render_template("audit.html", entries=entries, now=time.strftime("%Y-%m-%d %H:%M:%S")))
    response.headers["Cache-Control"] = "no-store"
    return response
