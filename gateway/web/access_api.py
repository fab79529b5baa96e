"""`/api/v1`: who I am, signed addresses, API tokens, the viewing token, the audit log. Worker threads."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from gateway.access import tokens
from gateway.access.grants import Right
from gateway.access.tokens import TokenWish
from gateway.config import units
from gateway.web import access_shapes as shapes
from gateway.web.caller import access, decide, host_name, is_admin, note, port
from gateway.web.operations import operation
from gateway.web.rights import needs
from gateway.web.view_json import filled_urls

access_api = Blueprint("access_api", __name__, url_prefix="/api/v1")

DEFAULT_LIFETIME = "8h"
MIN_LIFETIME_S = 60.0
MAX_LIFETIME_S = 7 * 86400.0
ADMINS_MAX_LIFETIME_S = 366 * 86400.0
DEFAULT_ENTRIES, MAX_ENTRIES = 100, 1000
_PLAYERS = ("hls", "rtmp", "rtmps", "rtsp")


@access_api.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@access_api.get("/me")
@operation(shapes.Me, tag="access")
@needs(Right.VIEW)
def me() -> Response:
    """Who the caller is, and what he may."""
    decision = decide(Right.VIEW)
    grant = decision.grant
    assert grant is not None, "somebody who was let in has a grant"
    return jsonify(
        {
            "user": decision.user,
            "rights": [right.value for right in Right if right in grant.rights],
            "cameras": None if grant.cameras is None else sorted(grant.cameras),
            "links": access().keyring.hash_of(decision.user or "") is not None,
        }
    )


@access_api.post("/me/logout-everywhere")
@operation(answers={204: None}, tag="access")
@needs(Right.VIEW)
def logout_everywhere() -> Response:
    """All sessions and signed addresses of the caller end."""
    user = _person("log out everywhere")
    access().end_sessions(user)
    note("logout-everywhere")
    return Response(status=204)


@access_api.get("/cameras/<camera_id>/link")
@operation(shapes.Link, query=shapes.LinkQuery, tag="access")
@needs(Right.VIEW, camera="camera_id")
def link(camera_id: str) -> Response:
    """Addresses of one stream that work without a login until a moment. `lifetime` is a duration, `stream` main or sub."""
    camera = port().camera(camera_id)
    if camera is None:
        raise NotFound("There is no camera of this id.")
    choice = request.args.get("stream", "main")
    if choice not in ("main", "sub"):
        raise BadRequest("stream is main or sub.")
    user = _person("make such an address")
    suffix = "_sub" if choice == "sub" else ""
    if suffix and len(camera.streams) < 2:
        raise NotFound("This camera has no sub stream.")
    stream = f"{camera_id}.sub" if suffix else camera_id
    expires = int(time.time() + _lifetime_s())
    token = access().keyring.make_link(stream, user, expires)
    host = host_name()
    if host is None:
        raise BadRequest("The Host header is malformed.")
    query = urlencode({"token": token})
    templates = {"watch": f"/watch/{stream}"}
    templates |= {kind: camera.urls[kind + suffix] for kind in _PLAYERS if kind + suffix in camera.urls}
    urls = {kind: f"{url}?{query}" for kind, url in filled_urls(templates, host).items()}
    note("link", camera=stream, expires=expires)
    return jsonify({"stream": stream, "expires": expires, "token": token, "urls": urls})


@access_api.get("/viewing-token")
@operation(shapes.ViewingTokenNow, tag="access")
@needs(Right.ADMIN)
def viewing_token() -> Response:
    """What lets a screen without a keyboard see everything. For the admin; null while it is revoked."""
    return jsonify({"token": access().viewing_token or None})


@access_api.post("/viewing-token")
@operation(shapes.ViewingTokenNow, tag="access")
@needs(Right.ADMIN)
def renew_viewing_token() -> Response:
    """Another viewing token; the old one opens nothing any more."""
    token = access().keyring.renew_viewing_token()
    access().forget()
    note("viewing-token", action="renewed")
    return jsonify({"token": token})


@access_api.delete("/viewing-token")
@operation(answers={204: None}, tag="access")
@needs(Right.ADMIN)
def revoke_viewing_token() -> Response:
    """No viewing token at all."""
    access().keyring.revoke_viewing_token()
    access().forget()
    note("viewing-token", action="revoked")
    return Response(status=204)


@access_api.get("/tokens")
@operation(shapes.TokenList, tag="access")
@needs(Right.ADMIN)
def list_tokens() -> Response:
    """All API tokens, without what they are."""
    return jsonify({"now": time.time(), "tokens": [tokens.to_json(token) for token in access().keyring.tokens]})


@access_api.post("/tokens")
@operation(answers={201: shapes.TokenMade}, body=shapes.NewToken, headers={"Location": "The token."}, tag="access")
@needs(Right.ADMIN)
def create_token() -> Response:
    """A new API token; `token` in the answer is said this once."""
    wish = _wish(request.get_json())
    known = {camera.id for camera in port().cameras()}
    unknown = next((camera for camera in wish.cameras or () if camera not in known), None)
    if unknown is not None:
        raise BadRequest("There is no camera of one of these ids.")
    try:
        token, text = access().keyring.create_token(wish, decide(Right.ADMIN).user or "")
    except ValueError as error:
        raise BadRequest(f"{error}.".capitalize()) from None
    access().forget()
    note("token", action="created", token=token.name, scopes=[scope.value for scope in token.scopes])
    response = jsonify(tokens.to_json(token) | {"token": text})
    response.status_code = 201
    response.headers["Location"] = f"/api/v1/tokens/{token.id}"
    return response


@access_api.delete("/tokens/<token_id>")
@operation(answers={204: None}, paths={"token_id": "Id of a token."}, tag="access")
@needs(Right.ADMIN)
def revoke_token(token_id: str) -> Response:
    """Take a token back, named by its id or its name."""
    token = access().keyring.revoke_token(token_id)
    if token is None:
        raise NotFound("There is no such token.")
    access().forget()
    note("token", action="revoked", token=token.name)
    return Response(status=204)


@access_api.get("/audit")
@operation(shapes.AuditEntries, query=shapes.AuditQuery, tag="access")
@needs(Right.ADMIN)
def audit() -> Response:
    """The newest entries of the audit log, the newest first."""
    text = request.args.get("limit", str(DEFAULT_ENTRIES))
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= MAX_ENTRIES):
        raise BadRequest(f"limit is a number from 1 to {MAX_ENTRIES}.")
    return jsonify({"now": time.time(), "entries": access().audit.newest(int(text))})


def _person(what: str) -> str:
    """The caller's name, if he has one; a token could otherwise outlive itself in what it makes."""
    user = decide(Right.VIEW).user or ""
    if access().keyring.hash_of(user) is None:
        raise Forbidden(f"Only somebody who has logged in by name can {what}.")
    return user


def _lifetime_s() -> float:
    decide(Right.ADMIN)
    most_s = ADMINS_MAX_LIFETIME_S if is_admin() else MAX_LIFETIME_S
    try:
        lifetime_s = units.seconds(request.args.get("lifetime", DEFAULT_LIFETIME))
    except ValueError as error:
        raise BadRequest(f"lifetime {error}.") from None
    if not MIN_LIFETIME_S <= lifetime_s <= most_s:
        raise BadRequest(f"lifetime must be between {units.written(MIN_LIFETIME_S)} and {units.written(most_s)}.")
    return lifetime_s


def _wish(fields: Any) -> TokenWish:
    """A token's wish in JSON: `name`, `scopes`, and perhaps `cameras` and `lifetime`."""
    try:
        cameras, lifetime = fields.get("cameras"), fields.get("lifetime")
        if not isinstance(fields["name"], str) or not isinstance(fields["scopes"], list):
            raise BadRequest("name is a text and scopes is a list.")
        if cameras is not None and not (isinstance(cameras, list) and all(isinstance(one, str) for one in cameras)):
            raise BadRequest("cameras is a list of ids.")
        if lifetime is not None and not isinstance(lifetime, str):
            raise BadRequest("lifetime is a duration, such as 30d.")
        return TokenWish(
            name=fields["name"],
            scopes=tuple(dict.fromkeys(Right(scope) for scope in fields["scopes"])),
            cameras=tuple(cameras) if cameras is not None else None,
            expires=time.time() + units.seconds(lifetime) if lifetime is not None else None,
        )
    except (AttributeError, TypeError, KeyError):
        raise BadRequest("Send an object with name and scopes.") from None
    except ValueError as error:
        raise BadRequest(f"{error}.".capitalize()) from None
