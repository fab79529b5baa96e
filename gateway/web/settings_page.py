"""The settings page and its API: the configuration in effect, what is wrong with the files, and reading them again.

For the admin. Nothing is edited here: the files are the one place where the configuration stands. Worker threads.
"""

from __future__ import annotations

import time
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template

from gateway.http.access import Right
from gateway.reload.attempt import Outcome
from gateway.web.api import require
from gateway.web.caller import decide, port
from gateway.web.config_json import attempt_json, config_json
from gateway.web.cookies import form_token_good
from gateway.web.errors import failure

settings_page = Blueprint("settings_page", __name__)

PATH = "/settings"
API = "/api/v1/config"
REFUSED_STATUS = 409


@settings_page.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@settings_page.get(PATH)
def page() -> Response:
    """The page."""
    refused = _only_admin()
    if refused is not None:
        return refused
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
def reload() -> Response:
    """The button."""
    refused = _only_admin()
    if refused is not None:
        return refused
    if not form_token_good():
        return failure(400, "The page was too old. Please go back and try again.")
    port().reload_config()
    return make_response(redirect(PATH, 303))


@settings_page.get(API)
def config() -> Response:
    """The same for programs."""
    refused = require(Right.ADMIN)
    return refused if refused is not None else jsonify(config_json(port().config_status()))


@settings_page.post(f"{API}/reload")
def reload_now() -> Response:
    """Read the files now. 409 if they are refused; the findings say why."""
    refused = require(Right.ADMIN)
    if refused is not None:
        return refused
    attempt = port().reload_config()
    response = jsonify(attempt_json(attempt))
    response.status_code = REFUSED_STATUS if attempt.outcome is Outcome.REFUSED else 200
    return response


def _only_admin() -> Response | None:
    decision = decide(Right.ADMIN)
    if decision.allowed:
        return None
    if decision.status == 401:
        return make_response(redirect(f"/login?next={quote(PATH)}", 303))
    return failure(decision.status, "This page is for the admin.")


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
