"""The settings page and its API: the configuration in effect, what is wrong with the files, and reading them again.

For the admin. Nothing is edited here: the files are the one place where the configuration stands. Worker threads.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template

from gateway.http.access import Right
from gateway.reload.attempt import Outcome
from gateway.web import shapes
from gateway.web.caller import note, port
from gateway.web.config_json import attempt_json, config_json
from gateway.web.operations import operation
from gateway.web.rights import needs

settings_page = Blueprint("settings_page", __name__)

PATH = "/settings"
API = "/api/v1/config"
REFUSED_STATUS = 409


@settings_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@settings_page.get(PATH)
@needs(Right.ADMIN)
def page() -> Response:
    """The page."""
    status = port().config_status()
    return make_response(
        render_template(
            "settings.html",
            status=status,
            last=status.last,
            change=status.last_change.change if status.last_change is not None else None,
            changed=_clock(status.last_change.at) if status.last_change is not None else "",
            loaded=_clock(status.loaded_at),
            tried=_clock(status.last.at),
            now=_clock(time.time()),
        )
    )


@settings_page.post(f"{PATH}/reload")
@needs(Right.ADMIN)
def reload() -> Response:
    """The button."""
    note("reload", action="asked")
    port().reload_config()
    return make_response(redirect(PATH, 303))


@settings_page.get(API)
@operation(shapes.Configuration, tag="configuration")
@needs(Right.ADMIN)
def config() -> Response:
    """The same for programs."""
    return jsonify(config_json(port().config_status()))


@settings_page.post(f"{API}/reload")
@operation(answers={200: shapes.ConfigAttempt, REFUSED_STATUS: shapes.ConfigAttempt}, tag="configuration")
@needs(Right.ADMIN)
def reload_now() -> Response:
    """Read the files now. 409 if they are refused; the findings say why."""
    note("reload", action="asked")
    attempt = port().reload_config()
    response = jsonify(attempt_json(attempt))
    response.status_code = REFUSED_STATUS if attempt.outcome is Outcome.REFUSED else 200
    return response


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
