"""One camera per page, `/watch/<stream>`: to be sent to a phone, or shown in a frame of another site. Worker threads.

Browsers send no cookie of ours into a frame of another site (SameSite), so an address with a token gets no session:
the token stays in the address and goes along with everything the page fetches.
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import Blueprint, Response, make_response, redirect, render_template, request

from gateway.http.access import Right
from gateway.web.caller import CREDENTIALS, decide, host_name, port, without_credentials
from gateway.web.errors import failure
from gateway.web.headers import security_headers
from gateway.web.ports import CameraView
from gateway.web.rights import needs

watch = Blueprint("watch", __name__)

SUB_SUFFIX = ".sub"


@watch.after_request
def _framed(response: Response) -> Response:
    """Also the refusals: a frame must be able to say why it stays dark."""
    host = request.headers.get("Host") if host_name() is not None else None
    response.headers.update(security_headers(host, port().embedders()))
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@watch.get("/watch/<stream_id>")
@needs(Right.VIEW, refuses_itself=True)
def page(stream_id: str) -> Response:
    """The player. Plays without scripts where the browser itself knows HLS."""
    decision = decide(Right.VIEW)
    if decision.allowed and (decision.grant is None or not decision.grant.plays(stream_id)):
        return failure(404, "There is no camera of this name.")
    if not decision.allowed:
        if decision.status == 401 and not _in_frame():
            return make_response(redirect(_login(), 303))
        if decision.status == 429:
            return failure(429, "Too many wrong passwords; wait a little.")
        return failure(decision.status, "This page needs a login, or an address with a token.")
    camera = port().camera(stream_id.removesuffix(SUB_SUFFIX))
    if camera is None or not _has(camera, stream_id):
        return failure(404, "There is no camera of this name.")
    kept = urlencode([(name, request.args[name]) for name in CREDENTIALS if request.args.get(name)])
    query = f"?{kept}" if kept else ""
    return make_response(render_template("watch.html", camera=camera, stream_id=stream_id, query=query))


def _has(camera: CameraView, stream_id: str) -> bool:
    """The main stream always is; a camera that was never reached has not told of a sub stream yet."""
    return stream_id == camera.id or any(stream.id == stream_id for stream in camera.streams)


def _login() -> str:
    """Where to log in for this page. What was refused is not brought along: after the login it would be refused again."""
    ended = "&ended=1" if any(request.args.get(name) for name in CREDENTIALS) else ""
    return f"/login?next={quote(without_credentials(), safe='')}{ended}"


def _in_frame() -> bool:
    """A login page refuses to be framed, so there the frame would stay empty. Old browsers do not tell."""
    return request.headers.get("Sec-Fetch-Dest") in ("iframe", "frame", "embed", "object")
