"""What every route asks of its caller, said where the route is made and enforced in one place. Worker threads.

    @api.get("/cameras/<camera_id>")
    @needs(Right.VIEW, camera="camera_id")

A route that says nothing is for admins only: a right that was forgotten must not become everybody's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from flask import Flask, Response, current_app, make_response, redirect, request

from gateway.http.access import Right
from gateway.http.guard import BASIC_CHALLENGE, wants_challenge
from gateway.web.caller import decide, plain_request
from gateway.web.cookies import form_token_good, from_own_script, needs_form_token
from gateway.web.errors import failure

View = TypeVar("View", bound=Callable[..., Any])

API_PREFIX = "/api/"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
_ATTRIBUTE = "gateway_rule"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks for."""

    right: Right | None
    """None: nothing, it is for everybody."""
    camera: str = ""
    """Name of the part of the path that is a camera's id."""
    refuses_itself: bool = False
    """It asks for `right` as the others do, but has its own way to say no."""


FORGOTTEN = Rule(Right.ADMIN)
"""Of a view for which nothing was stated."""


def needs(right: Right | None, *, camera: str = "", refuses_itself: bool = False) -> Callable[[View], View]:
    """State what a view asks for; the innermost decorator."""

    def state(view: View) -> View:
        setattr(view, _ATTRIBUTE, Rule(right, camera, refuses_itself))
        return view

    return state


def rule_of(view: Callable[..., Any]) -> Rule:
    """What a view asks for."""
    found = getattr(view, _ATTRIBUTE, None)
    return found if isinstance(found, Rule) else FORGOTTEN


def install(app: Flask) -> None:
    """Enforce the rules of all views."""
    app.before_request(_enforce)
    static = app.view_functions.get("static")
    if static is not None:
        # a bound method takes no attribute; nothing of ours in there is worth hiding

        @needs(None)
        def serve_static(filename: str) -> Any:
            return static(filename=filename)

        app.view_functions["static"] = serve_static


def _enforce() -> Response | None:
    if request.endpoint is None:
        return None  # 404 or 405, which Flask answers
    rule = rule_of(current_app.view_functions[request.endpoint])
    if rule.right is None or rule.refuses_itself:
        return None
    camera = str((request.view_args or {})[rule.camera]) if rule.camera else ""
    if request.path.startswith(API_PREFIX):
        return require(rule.right, camera)
    return _require_of_page(rule.right, camera)


def require(right: Right, camera: str = "") -> Response | None:
    """None if the caller may go on, else the answer for him. Writing takes JSON from our own origin, or a form token."""
    decision = decide(right, camera)
    if not decision.allowed:
        messages = {
            401: "Log in first.",
            403: "You may not do this.",
            404: "There is no camera of this id.",
            429: "Too many wrong passwords; wait a little.",
        }
        response = failure(decision.status, messages[decision.status])
        if decision.retry_after > 0:
            response.headers["Retry-After"] = str(int(decision.retry_after) + 1)
        if decision.status == 401 and wants_challenge(plain_request()):
            response.headers[BASIC_CHALLENGE[0]] = BASIC_CHALLENGE[1]
        return response
    if request.method not in READING and needs_form_token() and not (form_token_good() or from_own_script()):
        return failure(403, "The page is too old; reload it.", "form-token")
    return None


def _require_of_page(right: Right, camera: str) -> Response | None:
    decision = decide(right, camera)
    if not decision.allowed:
        if decision.status == 401 and request.method in READING:
            query = f"?{request.query_string.decode('latin-1')}" if request.query_string else ""
            return make_response(redirect(f"/login?next={quote(request.path + query, safe='/')}", 303))
        messages = {404: "There is no camera of this id.", 429: "Too many wrong passwords; wait a little."}
        return failure(decision.status, messages.get(decision.status, "This page is for the administrator."))
    if request.method not in READING and not form_token_good():
        return failure(400, "The page was too old. Please go back and try again.")
    return None
