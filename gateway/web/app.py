"""Makes the Flask application: pages, login, REST API, health, static files. Called once; served on worker threads."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request
from flask.json.provider import DefaultJSONProvider

import gateway
from gateway.http.access import Access
from gateway.http.rsgi import MAX_BODY_BYTES
from gateway.web import errors, rights
from gateway.web.access_api import access_api
from gateway.web.adoption import adoption
from gateway.web.api import api
from gateway.web.api_page import api_page
from gateway.web.audit_page import audit_page
from gateway.web.caller import ACCESS_KEY, PORT_KEY, host_name
from gateway.web.camera_page import camera_page
from gateway.web.cookies import form_token, keep_cookies
from gateway.web.discovery_page import discovery_page
from gateway.web.headers import HSTS_S, keep_to_https, security_headers
from gateway.web.health_page import health_api, health_page
from gateway.web.pages import AUTHORITY, pages
from gateway.web.plain_http import HTTPS_PORT, to_https
from gateway.web.ports import GatewayPort
from gateway.web.ptz_api import ptz
from gateway.web.settings_page import settings_page
from gateway.web.watch import watch

WEB_ROOT = Path(gateway.__file__).parent.parent / "web"
VENDOR_PREFIX = "vendor/"
VENDOR_MAX_AGE_S = 7 * 86400
"""Libraries change with releases only, but keep their file names; all else is revalidated by ETag at every load."""


class _InOrder(DefaultJSONProvider):
    """JSON with the most telling fields first, as the code lists them."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Read JSON. Raises ValueError also for a thousand brackets, which Flask answers with 400."""
        try:
            return super().loads(s, **kwargs)
        except RecursionError:
            raise ValueError("too deep") from None


class _Application(Flask):
    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Seconds a browser may keep a static file without asking; None: it asks every time."""
        return VENDOR_MAX_AGE_S if filename is not None and filename.startswith(VENDOR_PREFIX) else None


def create_app(
    port: GatewayPort,
    access: Access,
    *,
    https_port: int | None = None,
    authority: Path | None = None,
    web_root: Path = WEB_ROOT,
) -> Flask:
    """The application for one gateway.

    `https_port` lets pages on plain HTTP point to TLS; `authority` is the certificate file offered at `/gateway-ca.crt`.
    """
    # The registry of the operating system may say otherwise, and browsers refuse modules of any other type.
    mimetypes.add_type("text/javascript", ".js")
    mimetypes.add_type("text/javascript", ".mjs")
    app = _Application(
        "gateway.web",
        template_folder=str(web_root / "templates"),
        static_folder=str(web_root / "static"),
        static_url_path="/static",
    )
    app.config.update({HTTPS_PORT: https_port, AUTHORITY: authority, "MAX_CONTENT_LENGTH": MAX_BODY_BYTES})
    app.json = _InOrder(app)
    app.extensions[ACCESS_KEY] = access
    app.extensions[PORT_KEY] = port
    app.register_blueprint(pages)
    app.register_blueprint(watch)
    app.register_blueprint(discovery_page)
    app.register_blueprint(api)
    app.register_blueprint(adoption)
    app.register_blueprint(health_api)
    app.register_blueprint(health_page)
    app.register_blueprint(api_page)
    app.register_blueprint(ptz)
    app.register_blueprint(settings_page)
    app.register_blueprint(camera_page)
    app.register_blueprint(access_api)
    app.register_blueprint(audit_page)
    errors.install(app)
    app.before_request(to_https)
    rights.install(app)
    app.after_request(keep_cookies)
    app.after_request(_secure)

    @app.context_processor
    def _everywhere() -> dict[str, Any]:
        return {"site": port.site, "version": port.version, "csrf": form_token()}

    return app


def _secure(response: Response) -> Response:
    host = request.headers.get("Host") if host_name() is not None else None
    headers = security_headers(host)
    if request.scheme == "https":
        headers |= keep_to_https(current_app.config.get(HSTS_S, 0.0))
    for name, value in headers.items():
        response.headers.setdefault(name, value)
    return response
