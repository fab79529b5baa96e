"""What people open: the wall and the login. Worker threads."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request

from gateway.access.proxy import MAX_USER_CHARS
from gateway.http.access import ADMIN, ANONYMOUS, Proof, Right
from gateway.web.caller import access, decide, host_name, note, plain_request, safe_next, without_credentials
from gateway.web.cookies import form_token_good, log_in, log_out
from gateway.web.errors import failure
from gateway.web.plain_http import HTTPS_PORT
from gateway.web.rights import needs

pages = Blueprint("pages", __name__)

AUTHORITY = "GATEWAY_AUTHORITY"


@pages.after_request
def _never_stored(response: Response) -> Response:
    response.headers.setdefault("Cache-Control", "no-store")
    return response


@pages.get("/")
@needs(Right.VIEW, refuses_itself=True)
def wall() -> Response:
    """The wall. Whoever has no session is sent to the login."""
    decision = decide(Right.VIEW)
    if not decision.allowed:
        return _go("/login" if request.full_path in ("/", "/?") else f"/login?next={quote(_here(), safe='')}")
    grant = decision.grant
    if grant is not None and grant.stream:
        return _go(f"/watch/{grant.stream}?{urlencode({'token': request.args.get('token', '')})}")
    if decision.proof in (Proof.TOKEN, Proof.PARAMETERS) and decision.user is not None:
        # An address with a token, for a screen without keyboard: what the page fetches needs a session. A kiosk's script
        # keeps the token, for the day that session ends, and takes it out of the address itself.
        response = make_response(render_template("wall.html")) if request.args.get("kiosk") else _go(without_credentials())
        log_in(response, decision.user)
        note("login", way=decision.proof.value)
        return response
    rights = grant.rights if grant is not None else frozenset[Right]()
    admin, operator = Right.ADMIN in rights, Right.OPERATE in rights
    person = decision.user is not None and access().keyring.hash_of(decision.user) is not None
    page = render_template(
        "wall.html", admin=admin, operator=operator, user=decision.user, person=person, anonymous=decision.user == ANONYMOUS
    )
    return make_response(page)


@pages.get("/login")
@needs(None)
def login_form() -> Response:
    """The form; for who came by an address that worked without a login, with a word on that."""
    if request.args.get("ended"):
        return _login_page("This address works no longer. Ask for a new one, or log in.", "login.address_ended")
    return _login_page()


@pages.post("/login")
@needs(None)
def login() -> Response:
    """Judge the form. The user name may be left out as long as there is one account."""
    if not form_token_good():
        return _login_page("The page was too old. Please try again.", "login.expired", 400)
    user = request.form.get("username", "").strip() or ADMIN
    decision = access().login_sync(plain_request().client, user, request.form.get("password", ""))
    if decision.allowed:
        response = _go(safe_next(request.form.get("next") or request.args.get("next")))
        log_in(response, user)
        note("login", user=user, way="form")
        return response
    if decision.status == 429:
        wait = int(decision.retry_after) + 1
        response = _login_page(f"Too many wrong passwords. Try again in {wait} s.", "login.too_many", 429)
        response.headers["Retry-After"] = str(wait)
        return response
    return _login_page("User name or password is wrong.", "login.wrong_password", 401)


@pages.post("/logout")
@needs(None)
def logout() -> Response:
    """End the session of this browser."""
    if not form_token_good():
        return failure(400, "The page was too old. Please go back and try again.")
    user = decide(Right.VIEW).user
    if user is not None:
        note("logout", user=user)
    response = _go("/login")
    log_out(response)
    return response


@pages.post("/logout-everywhere")
@needs(Right.VIEW)
def logout_everywhere() -> Response:
    """End all sessions and signed addresses of this user."""
    user = decide(Right.VIEW).user or ""
    if access().keyring.hash_of(user) is None:
        return failure(403, "Only somebody who has logged in by name can log out everywhere.")
    access().end_sessions(user)
    note("logout-everywhere", user=user)
    response = _go("/login")
    log_out(response)
    return response


@pages.get("/gateway-ca.crt")
@needs(None)
def authority() -> Response:
    """The certificate authority of this box, to be installed on viewing machines. Public, as certificates are."""
    file = current_app.config[AUTHORITY]
    if file is None or not file.is_file():
        return failure(404, "This gateway has no certificate authority of its own.")
    return Response(
        file.read_bytes(),
        mimetype="application/x-x509-ca-cert",
        headers={"Content-Disposition": 'attachment; filename="gateway-ca.crt"'},
    )


def _login_page(error: str = "", error_key: str = "", status: int = 200) -> Response:
    """The form; `error_key` names the translation of `error` in the browser's texts."""
    target = safe_next(request.values.get("next"))
    page = render_template(
        "login.html", refused=status in (401, 429), error=error, error_key=error_key, next=target, https_url=_https_url(target),
        only_admin=not access().keyring.accounts, username=request.form.get("username", "").strip()[:MAX_USER_CHARS],
    )  # fmt: skip
    response = make_response(page)
    response.status_code = status
    return response


def _https_url(target: str) -> str | None:
    """The same login over TLS, for people who came over plain HTTP."""
    port, host = current_app.config[HTTPS_PORT], host_name()
    if request.scheme == "https" or port is None or host is None:
        return None
    return f"https://{host}:{port}/login" + ("" if target == "/" else f"?next={quote(target, safe='')}")


def _here() -> str:
    return request.full_path.removesuffix("?")


def _go(target: str) -> Response:
    return make_response(redirect(target, 303))
