"""The session cookie and the form tokens of the pages. Worker threads.

A form token belongs to a random cookie of its own, so that the login form is protected before there is a session.
"""

from __future__ import annotations

from flask import Response, g, request

from gateway.http.access import BY_THEMSELVES, Proof, Right
from gateway.http.guard import from_own_page
from gateway.web.caller import access, decide, plain_request

FORM_FIELD = "csrf"
FORM_HEADER = "X-CSRF-Token"


def form_token() -> str:
    """The token for forms and scripts of the page being rendered; `keep_cookies` sends the cookie it belongs to."""
    name = access().form_cookie(request.scheme)
    nonce = request.cookies.get(name)
    if not nonce:
        nonce = g.setdefault("new_form_nonce", access().new_form_nonce())
    return access().form_token(nonce)


def form_token_good() -> bool:
    """Whether this request came from a page of ours."""
    nonce = request.cookies.get(access().form_cookie(request.scheme), "")
    token = request.form.get(FORM_FIELD) or request.headers.get(FORM_HEADER, "")
    return access().form_token_matches(nonce, token)


def from_own_script() -> bool:
    """Whether this came from a script of ours, or from no browser at all.

    A foreign page can send JSON only after asking (CORS preflight), which is never granted; and it names its origin.
    """
    return request.is_json and from_own_page(plain_request())


def needs_form_token() -> bool:
    """Whether a browser may have added the credentials of this request by itself."""
    proof = decide(Right.VIEW).proof
    return proof is Proof.NONE or proof in BY_THEMSELVES


def log_in(response: Response, user: str) -> None:
    """Give the browser a session; everything that a page knew before is void. Raises ValueError if there is no such user."""
    _set_session(response, access().new_session(user))
    g.new_form_nonce = access().new_form_nonce()
    g.session_written = True


def log_out(response: Response) -> None:
    """Take the session away from the browser."""
    response.delete_cookie(
        access().session_cookie(request.scheme), secure=request.scheme == "https", httponly=True, samesite="Lax"
    )
    g.session_written = True


def keep_cookies(response: Response) -> Response:
    """After every request: send a new form cookie if a form needs it, and renew a session that is in use."""
    nonce = g.get("new_form_nonce")
    if nonce:
        _set(response, access().form_cookie(request.scheme), nonce, None)
    if not g.get("session_written"):
        session = access().session_to_renew(plain_request())
        if session is not None:
            _set_session(response, access().renewed(session))
    return response


def _set_session(response: Response, value: str) -> None:
    _set(response, access().session_cookie(request.scheme), value, int(access().session_idle_s))


def _set(response: Response, name: str, value: str, max_age: int | None) -> None:
    response.set_cookie(name, value, max_age=max_age, path="/", secure=request.scheme == "https", httponly=True, samesite="Lax")
