"""Puts `Access` in front of a native handler. The first name below its prefix is the stream that is asked for.

Players that can send no header come with `?token=` or `?user=&pass=` on the first playlist only: what a playlist names
is fetched without them. So a playlist answered to such a request is rewritten to name everything below
`/<prefix>/~<token>/`, a path this guard understands; relative names below it keep the token by themselves. It is the
token that was shown, or for a password a signed one for this stream that dies with the password: no password gets into a
playlist, and all viewers share one rendered text. Requests with a cookie or Basic credentials take the plain path and cost
nothing extra.
"""

from __future__ import annotations

import dataclasses
import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from gateway.http import passes
from gateway.http.access import BY_THEMSELVES, Access, Decision, Proof, Right
from gateway.http.messages import Handler, Request, Response
from gateway.http.router import WebSocket, WebSocketHandler

BASIC_CHALLENGE = ("www-authenticate", 'Basic realm="Camera Gateway", charset="UTF-8"')
TOKEN_MARK = "~"
"""No stream id begins with it."""

OPEN_TO_SCRIPTS = "/hls/"
"""What pages of other sites may fetch with credentials of their own."""

_URI_ATTRIBUTE = re.compile(r'(?<=URI=")([^"]*)(?=")')
_ABSOLUTE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|/")


def guarded(access: Access, prefix: str, handler: Handler, right: Right = Right.VIEW) -> Handler:
    """`handler`, reachable only with `right`. `prefix` is its route and ends with a slash."""

    async def guard(request: Request) -> Response:
        if request.method == "OPTIONS":
            return await handler(request)  # a browser's preflight carries no credentials and gets no media
        era = access.passes.era
        inner, token = split_token(request, prefix)
        stream = inner.path.removeprefix(prefix).partition("/")[0]
        playlist = inner.path.endswith(".m3u8")
        if token:
            decision = access.judge_token(token, right, stream=stream)
            if not decision.allowed:
                return refusal(request, decision) if decision.hidden else _no_longer_valid()
            if access.lasts(decision, passes.PASS_S):
                access.passes.issue(passes.of_token(token), stream, era)
            answer = await handler(inner)
        else:
            decision = await access.check_request(request, right, stream=stream)
            if not decision.allowed:
                return refusal(request, decision)
            if decision.proof not in (Proof.TOKEN, Proof.PARAMETERS):
                # A pass rests on header fields that a lane sees; what a proxy says of its clients is not among them.
                if right is Right.VIEW and decision.proof is not Proof.PROXY and access.lasts(decision, passes.PASS_S):
                    presented = (request.headers.get("authorization"), request.headers.get("cookie"))
                    access.passes.issue(passes.of_request(request.scheme, *presented), stream, era)
                answer = await handler(request)
            elif not playlist:
                answer = await handler(without_credentials(request))
            else:
                answer = await handler(_uncompressed(without_credentials(request)))
                shown = request.parameters().get("token", "")
                answer = with_token(answer, request.path, prefix, access.play_token(decision, stream, shown))
        if playlist and answer.status == 200:
            access.audit.going_on("watch", decision.user, request.client, camera=stream, way="hls")
        return answer

    return stated(guard, right)


def stated(handler: Handler, right: Right | None) -> Handler:
    """`handler`, which lets those with `right` pass by itself (None: everybody), with a mark that says so: a test asks
    every route for it."""

    async def marked(request: Request) -> Response:
        return await handler(request)

    marked.right = right  # type: ignore[attr-defined]
    return marked


def guarded_websocket(access: Access, handler: WebSocketHandler, right: Right = Right.VIEW) -> WebSocketHandler:
    """`handler`, reachable only with `right` and, without credentials that a script must know, only from our own pages."""

    async def guard(request: Request, socket: WebSocket) -> None:
        decision = await access.check_request(request, right)
        if not decision.allowed:
            socket.close(decision.status)
        elif decision.proof in (*BY_THEMSELVES, Proof.NONE) and not from_own_page(request):
            # Where everybody may look, it is being in this network that a visitor's browser brings along to a foreign page.
            socket.close(403)
        else:
            await handler(request, socket)

    guard.right = right  # type: ignore[attr-defined]  # as above
    return guard


def refusal(request: Request, decision: Decision) -> Response:
    """The answer to whoever is not allowed."""
    headers = _plain_headers()
    if request.path.startswith(OPEN_TO_SCRIPTS):
        headers += (("access-control-allow-origin", "*"),)  # else a page of another site sees a broken network, and no 401
    if decision.status == 401 and wants_challenge(request):
        headers += (BASIC_CHALLENGE,)
    if decision.retry_after > 0:
        headers += (("retry-after", str(int(decision.retry_after) + 1)),)
    text = {401: "credentials needed", 403: "not allowed", 404: "no such stream", 429: "too many wrong passwords, wait"}[
        decision.status
    ]
    return Response(decision.status, f"{text}\n".encode(), headers)


def wants_challenge(request: Request) -> bool:
    """Whether a 401 should ask for Basic credentials: yes for players and scripts, no for what a page of ours fetches.

    A browser would open its own password window over the wall for every tile. Browsers send Sec-Fetch-Mode only on
    HTTPS; on plain HTTP the Referer tells.
    """
    mode = request.headers.get("sec-fetch-mode")
    if mode is not None:
        return mode == "navigate"
    referer = request.headers.get("referer")
    return referer is None or _site(referer) != request.headers.get("host")


def from_own_page(request: Request) -> bool:
    """Whether the Origin is this host; programs send none."""
    origin = request.headers.get("origin")
    return origin is None or _site(origin) == request.headers.get("host")


def _site(url: str) -> str:
    """Host and port of a URL that a client sent, empty for nonsense: no Host header is."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""


def split_token(request: Request, prefix: str) -> tuple[Request, str]:
    """The request without a token in its path, and that token, empty if there is none."""
    rest = request.path.removeprefix(prefix)
    if not rest.startswith(TOKEN_MARK):
        return request, ""
    token, _, below = rest[len(TOKEN_MARK) :].partition("/")
    return dataclasses.replace(request, path=prefix + below), token


def without_credentials(request: Request) -> Request:
    """The request without `token`, `user` and `pass` in its query."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    kept = [pair for pair in pairs if pair[0] not in ("token", "user", "pass")]
    return dataclasses.replace(request, query=urlencode(kept))


def with_token(answer: Response, path: str, prefix: str, token: str) -> Response:
    """A playlist whose relative names lead through the token's path."""
    if answer.status != 200 or not isinstance(answer.body, bytes):
        return answer
    directory = path.removeprefix(prefix).rpartition("/")[0]
    base = f"{prefix}{TOKEN_MARK}{token}/{directory}/" if directory else f"{prefix}{TOKEN_MARK}{token}/"
    body = rewrite_playlist(answer.body.decode("utf-8", "replace"), base).encode()
    headers = tuple(pair for pair in answer.headers if pair[0].lower() not in ("etag", "content-length"))
    return dataclasses.replace(answer, body=body, headers=headers)


def rewrite_playlist(text: str, base: str) -> str:
    """Every relative name in a playlist (RFC 8216 sections 4.1 and 4.2), prefixed with `base`."""

    def prefixed(name: str) -> str:
        return name if not name or _ABSOLUTE.match(name) else base + name

    lines = []
    for line in text.split("\n"):
        if line.startswith("#"):
            lines.append(_URI_ATTRIBUTE.sub(lambda match: prefixed(match.group(1)), line))
        else:
            lines.append(prefixed(line) if line.strip() else line)
    return "\n".join(lines)


def _no_longer_valid() -> Response:
    return Response(403, b"this address is no longer valid\n", _plain_headers())


def _uncompressed(request: Request) -> Request:
    headers = {name: value for name, value in request.headers.items() if name != "accept-encoding"}
    return dataclasses.replace(request, headers=headers)


def _plain_headers() -> tuple[tuple[str, str], ...]:
    return (("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store"))
