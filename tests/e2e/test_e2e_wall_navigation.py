"""The wall's views, the large picture, the kiosk and the page of one camera on a real gateway over HTTPS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from child import free_port
from gateway_process import GatewayProcess
from gst_process import GstCamera
from playwright.sync_api import BrowserContext, Frame, Page, sync_playwright
from wall_page import CHROMIUM, FLAGS, open_wall

pytestmark = pytest.mark.e2e

TILES = 8
FPS = 5
LIVE_MS = 40_000
BACK_MS = 30_000


@pytest.fixture
def context(tmp_path: Path) -> Iterator[BrowserContext]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, headless=True, args=FLAGS, ignore_https_errors=True,
            viewport={"width": 1280, "height": 720}, locale="en-GB",
        )  # fmt: skip
        yield made
        made.close()


@pytest.fixture
def portal() -> Iterator[Callable[[str], str]]:
    """Another web site: `portal(html)` is the address of a page on `localhost`, which is not the gateway's 127.0.0.1."""
    pages: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path, b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def add(html: str) -> str:
        pages[f"/{len(pages)}"] = html.encode()
        return f"http://localhost:{server.server_port}/{len(pages) - 1}"

    yield add
    server.shutdown()
    server.server_close()
    thread.join(5)


def until(page: Page | Frame, condition: str, timeout_ms: int = LIVE_MS) -> None:
    page.wait_for_function(f"() => {condition}", timeout=timeout_ms, polling=100)


def test_a_wall_a_large_picture_a_kiosk_and_a_frame_elsewhere(
    gst_camera: Callable[..., GstCamera],
    gateway: Callable[..., GatewayProcess],
    context: BrowserContext,
    portal: Callable[[str], str],
) -> None:
    main = gst_camera(fps=FPS, width=640, height=360, audio="aac")
    sub = gst_camera(fps=FPS, width=320, height=180)
    cameras: dict[str, dict[str, Any]] = {
        f"c{number}": {"rtsp": main.url(), "sub": sub.url(), "group": "Even" if number % 2 == 0 else "Odd"}
        for number in range(1, TILES + 1)
    }
    elsewhere = portal("<p>an empty page of another site</p>").rpartition("/")[0]
    settings = {
        "views": {"doors": {"name": "Doors", "cameras": ["c3", "c1"], "layout": "2x2"}},
        "watch": {"embed": [elsewhere]},
    }
    service = gateway(cameras, settings)
    service.wait_live("c1", "c8")
    page = open_wall(context, service)
    until(page, f"window.__wall.tiles.filter(tile => tile.state === 'live').length === {TILES}")
    assert page.evaluate("window.__wall.state.pages") == 1
    assert page.evaluate("window.__wall.tile('c1').stats().stream") == "c1.sub"

    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    until(page, "window.__wall.tile('c1').stats().stream === 'c1' && window.__wall.tile('c1').stats().width === 640")
    page.keyboard.press("Escape")
    until(page, "window.__wall.state.focused === null && window.__wall.tile('c1').stats().stream === 'c1.sub'")
    page.click("#view-menu")
    page.get_by_role("menuitemradio", name="Doors").click()
    assert page.evaluate("window.__wall.state.shown") == ["c3", "c1"]
    until(page, "window.__wall.tile('c8').stats().transport === null", 5000)
    page.keyboard.press("c")
    page.locator("#share-lifetime").select_option("1h")
    until(page, "document.querySelector('#share-watch').value.includes('token=link.')")
    until(page, "document.querySelector('.share-code img').naturalWidth > 0", 10_000)
    watch = page.locator("#share-watch").input_value()
    token = watch.partition("token=")[2]
    assert len(token) > 20
    page.close()

    context.clear_cookies()
    framed = context.new_page()
    framed.goto(portal(f'<iframe src="{watch}" width="640" height="360" allow="autoplay; fullscreen"></iframe>'))
    frame = framed.frames[1]
    until(frame, "window.__watch?.tile?.state === 'live' && window.__watch.tile.stats().transport.startsWith('ws-')")
    cookies = {cookie["name"] for cookie in context.cookies() if not cookie["name"].endswith("_form")}
    assert cookies == set(), "the token makes no session in a frame"
    framed.goto(portal(f'<iframe src="{watch.partition("?")[0]}" width="640" height="360"></iframe>'))
    assert "needs a login, or an address with a token" in framed.frames[1].locator("[role=alert]").inner_text()
    framed.close()

    base = f"https://127.0.0.1:{service.ports['https']}"
    screen = context.new_page()
    viewing = service.api("viewing-token")["token"]
    screen.goto(f"{base}/?kiosk=1&token={viewing}#view=all&layout=4x4")
    until(screen, f"window.__wall?.tiles.filter(tile => tile.state === 'live').length === {TILES}")
    assert screen.url == f"{base}/?kiosk=1#view=all&layout=4x4"
    screen.evaluate("window.__sameDocument = true")
    service.terminate()
    until(screen, "window.__wall.tiles.every(tile => tile.state !== 'live')", 15_000)
    context.clear_cookies()
    service.start()
    until(screen, "window.__wall.tiles.some(tile => tile.state === 'live')", BACK_MS)
    assert screen.evaluate("window.__sameDocument === true"), "without a reload, with a session made by its token"
