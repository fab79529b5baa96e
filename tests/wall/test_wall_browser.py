"""The wall in a real Chromium: pictures move, freezes are told, and everything comes back by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

FIRST_PICTURE_MS = 20000
H265 = "hvc1.1.6.L153.B0"
GREY = "getComputedStyle(document.querySelector('.tile-media')).filter"


def tile(page: Page, index: int = 0) -> dict[str, Any]:
    """Diagnostics of one tile."""
    found: dict[str, Any] = page.evaluate(f"window.__wall.tiles[{index}]")
    return found


def until(page: Page, condition: str, timeout_ms: int) -> None:
    """Waits until a JavaScript expression holds. As a function: the page's policy forbids evaluating strings."""
    page.wait_for_function(f"() => {condition}", timeout=timeout_ms, polling=50)


def until_state(page: Page, *states: str, index: int = 0, timeout_ms: int = FIRST_PICTURE_MS) -> float:
    """Waits for a state of a tile; returns the seconds that took."""
    begun = time.monotonic()
    page.wait_for_function(
        "([index, states]) => states.includes(window.__wall?.tiles[index]?.state)",
        arg=[index, list(states)],
        timeout=timeout_ms,
        polling=50,
    )
    return time.monotonic() - begun


def test_pictures_and_their_clocks_move(gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page) -> None:
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        # this gateway has no WebSocket, as behind many a proxy, and Chromium says so
        if message.type in ("error", "warning") and not message.text.startswith("WebSocket connection"):
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    gateway.cameras = [make_camera("gate", "Gate"), make_camera("yard", "Yard")]
    gateway.media = {"gate": source.directory, "yard": source.directory}
    page.goto(gateway.url)
    until_state(page, "live", index=0)
    until_state(page, "live", index=1)
    before = tile(page)
    clock = page.locator(".tile-clock").first.inner_text()
    until(page, f"document.querySelector('.tile-clock').textContent !== '{clock}'", 3000)
    until(page, f"window.__wall.tiles[0].frames >= {before['frames'] + 10}", 5000)
    after = tile(page)
    assert after["lastFrameAt"] > before["lastFrameAt"]
    assert 0 < after["latencyMs"] < 6000
    assert after["transport"] == "hls"
    until(page, "document.querySelector('#counts .long').textContent === '2 of 2 live'", 1000)
    assert page.locator(".tile-badge").first.inner_text() == "Live"
    assert page.title() == "2/2 · Warehouse 3"
    assert complaints == []


def test_a_frozen_picture_says_so_within_4_s_and_recovers(
    gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page
) -> None:
    """The worst case: the server goes on calling the camera live."""
    gateway.cameras = [make_camera("gate", "Gate")]
    gateway.media = {"gate": source.directory}
    page.goto(gateway.url)
    until_state(page, "live")
    source.freeze()
    until_state(page, "late", "stalled")
    noticed = tile(page)
    assert noticed["quietMs"] < 4000, "counted from the last picture"
    until(page, "document.querySelector('.tile').hasAttribute('data-frozen')", 2000)
    assert "grayscale" in page.evaluate(GREY)
    assert page.locator(".tile-clock-label").inner_text() == "Last picture"
    until(page, "document.querySelector('#counts .long').textContent === '0 of 1 live'", 1000)
    shown = page.locator(".tile-clock").inner_text()
    until_state(page, "stalled", timeout_ms=8000)
    until(page, "window.__wall.tiles[0].restarts >= 1", 12000)
    assert page.locator(".tile-clock").inner_text() >= shown, "a replayed picture must not turn the clock back"
    assert tile(page)["state"] != "live", "the last seconds played again are not live"
    source.thaw()
    assert until_state(page, "live") < 6
    assert page.evaluate(GREY) == "none"


def test_an_outage_is_told_with_its_reason_and_ends_by_itself(
    gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page
) -> None:
    """The camera comes back after a DISCONTINUITY with a gap, at which players like to hang for ever."""
    gateway.cameras = [make_camera("gate", "Gate")]
    gateway.media = {"gate": source.directory}
    page.goto(gateway.url)
    until_state(page, "live")
    source.stop()
    reason = "The camera cannot be reached."
    now = time.time()
    gateway.cameras[0].update(state="offline", since=now, reason=reason, code="unreachable", next_retry=now + 30)
    until_state(page, "offline", timeout_ms=10000)
    until(page, "/Next try in \\d+ s/.test(document.querySelector('.tile-meta').textContent)", 3000)
    assert page.locator(".tile-reason").inner_text() == reason
    assert "Since" in page.locator(".tile-meta").inner_text()
    source.start()
    gateway.cameras[0].update(state="live", since=time.time(), reason="", code="", next_retry=None)
    assert until_state(page, "live") < 6
    assert page.locator(".tile-veil").is_hidden()


def test_a_gateway_that_stops_answering_is_told_and_tiles_return_with_it(
    gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [make_camera("gate", "Gate")]
    gateway.media = {"gate": source.directory}
    page.goto(gateway.url)
    until_state(page, "live")
    page.context.set_offline(True)
    page.locator("#gateway-lost").wait_for(state="visible", timeout=10000)
    until_state(page, "stalled", timeout_ms=10000)
    assert "gateway does not answer" in page.locator(".tile-reason").inner_text()
    page.context.set_offline(False)
    until_state(page, "live", timeout_ms=12000)
    assert page.locator("#gateway-lost").is_hidden()


def test_h265_is_named_and_replaced(
    gateway: Any,
    source: Any,
    snapshot_jpeg: bytes,
    make_camera: Callable[..., Any],
    make_stream: Callable[..., Any],
    page: Page,
) -> None:
    h265 = {"codec": "h265", "codecs": H265}
    sleeping = make_stream("roof.sub", state="offline", on_demand=True)
    gateway.snapshot = snapshot_jpeg
    gateway.cameras = [
        make_camera("gate", "Gate", streams=[make_stream("gate", **h265)]),
        make_camera("yard", "Yard", streams=[make_stream("yard"), make_stream("yard.sub", **h265)]),
        make_camera("roof", "Roof", streams=[make_stream("roof"), sleeping]),
    ]
    gateway.media = {"yard": source.directory, "roof.sub": source.directory}
    page.goto(gateway.url)
    until_state(page, "unplayable", index=0)
    page.locator(".tile-media img").wait_for(state="visible", timeout=5000)
    until(page, "document.querySelector('.tile-clock-label').textContent === 'Still picture'", 3000)
    assert page.locator(".tile-note").nth(0).inner_text() == "H.265 cannot be played by this browser."
    until_state(page, "live", index=1)
    assert tile(page, 1)["stream"] == "yard"
    assert "H.265 of the sub stream" in page.locator(".tile-note").nth(1).inner_text()
    until_state(page, "live", index=2)
    assert tile(page, 2)["stream"] == "roof.sub"
    assert page.locator(".tile-note").nth(2).inner_text() == ""
    assert "gate/index.m3u8" not in gateway.hls_requests


def test_one_camera_plays_main_and_two_play_sub(
    gateway: Any, source: Any, make_camera: Callable[..., Any], make_stream: Callable[..., Any], page: Page
) -> None:
    def both(name: str) -> Any:
        return make_camera(name, name, streams=[make_stream(name), make_stream(f"{name}.sub")])

    gateway.media = dict.fromkeys(("gate", "gate.sub", "yard", "yard.sub"), source.directory)
    gateway.cameras = [both("gate")]
    page.goto(gateway.url)
    until_state(page, "live")
    assert tile(page)["stream"] == "gate"
    gateway.cameras = [both("gate"), both("yard")]
    until_state(page, "live", index=1)
    assert [found["stream"] for found in page.evaluate("window.__wall.tiles")] == ["gate.sub", "yard.sub"]
    gateway.cameras = [both("yard")]
    until(page, "document.querySelectorAll('.tile').length === 1", 6000)
    assert tile(page)["id"] == "yard"


def test_a_page_focuses_pauses_and_photographs_a_tile(
    gateway: Any, source: Any, make_camera: Callable[..., Any], make_stream: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [
        make_camera("gate", "Gate", streams=[make_stream("gate", audio="aac"), make_stream("gate.sub")]),
        make_camera("yard", "Yard", state="disabled"),
    ]
    gateway.media = dict.fromkeys(("gate", "gate.sub"), source.directory)
    page.goto(gateway.url)
    until_state(page, "live")
    stats = page.evaluate("window.__wall.tile('gate').stats()")
    assert (stats["stream"], stats["audio"], stats["width"], stats["height"]) == ("gate.sub", None, 320, 180)
    page.evaluate("window.__wall.tile('gate').focus(true)")
    until(page, "window.__wall.tile('gate').stats().stream === 'gate'", 1000)
    until(page, "window.__wall.tile('gate').stats().fps > 5", 10000)
    assert page.evaluate("window.__wall.tile('gate').stats().audio") == "aac"
    page.evaluate("window.__wall.tile('gate').setStream('sub')")
    until(page, "window.__wall.tile('gate').stats().stream === 'gate.sub'", 1000)
    until_state(page, "live")
    photograph = "window.__wall.tile('gate').snapshot().then((png) => [png.type, png.size > 1000])"
    assert page.evaluate(photograph) == ["image/png", True]
    page.evaluate("window.__wall.tile('gate').pause()")
    assert tile(page)["state"] == "paused"
    assert tile(page)["transport"] is None
    assert page.locator(".tile-clock-label").first.inner_text() == "Last picture"
    page.wait_for_timeout(600)
    assert tile(page)["state"] == "paused"
    page.evaluate("window.__wall.tile('gate').resume()")
    until_state(page, "live")


def test_a_sub_stream_without_pictures_gives_way_to_main(
    gateway: Any, source: Any, make_camera: Callable[..., Any], make_stream: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [
        make_camera("gate", "Gate", streams=[make_stream("gate"), make_stream("gate.sub")]),
        make_camera("yard", "Yard", state="disabled"),
    ]
    gateway.media = {"gate": source.directory}
    page.goto(gateway.url)
    until_state(page, "live", timeout_ms=30000)
    assert tile(page)["stream"] == "gate"
    assert page.locator(".tile-note").first.inner_text() == "Main stream: the sub stream gave no picture"
    assert tile(page, 1)["state"] == "disabled"
    assert tile(page, 1)["transport"] is None


def test_no_cameras_says_what_to_do(gateway: Any, page: Page) -> None:
    page.goto(gateway.url)
    page.locator("#empty").wait_for(state="visible", timeout=5000)
    assert page.locator("#empty h2").inner_text() == "No cameras yet"
    assert "gateway discover" in page.locator("#empty").inner_text()


def test_an_ended_session_leads_to_the_login(gateway: Any, make_camera: Callable[..., Any], page: Page) -> None:
    gateway.cameras = [make_camera("gate", "Gate", state="disabled")]
    page.goto(gateway.url)
    page.locator(".tile").wait_for(timeout=5000)
    gateway.signed_in = False
    page.wait_for_url("**/login?next=%2F%23view%3Dall%26layout%3Dauto", timeout=6000)
    assert page.evaluate("document.activeElement.id") == "password"
    fields = page.evaluate("Object.fromEntries(new FormData(document.getElementById('login')))")
    assert fields == {"username": "admin", "password": "", "csrf": "token", "next": "/"}


def test_language_follows_the_browser_and_the_switch_is_remembered(
    gateway: Any, chromium: Browser, make_camera: Callable[..., Any]
) -> None:
    gateway.cameras = [make_camera("gate", "Gate", state="offline", reason="x", code="unreachable")]
    context = chromium.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(gateway.url)
    until(page, "document.querySelector('.tile-badge')?.textContent === '离线'", 5000)
    assert page.locator(".tile-reason").inner_text() == "无法连接摄像机。"
    assert page.evaluate("document.documentElement.lang") == "zh-Hans"
    page.get_by_role("button", name="EN", exact=True).click()
    until(page, "document.querySelector('.tile-badge').textContent === 'Offline'", 3000)
    page.goto(f"{gateway.url}/login")
    until(page, "document.documentElement.lang === 'en'", 3000)
    assert page.locator("button[type=submit]").inner_text() == "Log in"
    context.close()


def test_tiles_are_reached_and_crossed_with_the_keyboard(gateway: Any, make_camera: Callable[..., Any], page: Page) -> None:
    gateway.cameras = [make_camera(f"c{number}", f"Camera {number}", state="disabled") for number in range(4)]
    page.goto(gateway.url)
    until_state(page, "disabled", index=3)
    page.locator(".tile[data-state=disabled]").nth(3).wait_for(timeout=5000)
    page.locator(".tile").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.camera") == "c3"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Camera 3, Switched off"
    page.keyboard.press("Home")
    assert page.evaluate("document.activeElement.dataset.camera") == "c0"


def test_tiles_out_of_sight_do_not_play(gateway: Any, source: Any, make_camera: Callable[..., Any], chromium: Browser) -> None:
    names = [f"c{number}" for number in range(4)]
    gateway.cameras = [make_camera(name, name) for name in names]
    gateway.media = dict.fromkeys(names, source.directory)
    context = chromium.new_context(viewport={"width": 390, "height": 450})
    page = context.new_page()
    page.goto(gateway.url)
    until_state(page, "live")
    assert tile(page, 3)["transport"] is None
    page.keyboard.press("PageUp")
    until(page, "window.__wall.tiles[3].frames > 0", FIRST_PICTURE_MS)
    until(page, "window.__wall.tiles[0].transport === null", 3000)
    context.close()


def test_a_tab_hidden_for_long_lets_go_and_starts_afresh(
    gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [make_camera("gate", "Gate")]
    gateway.media = {"gate": source.directory}
    page.add_init_script(
        "let hidden = false; Object.defineProperty(document, 'hidden', { get: () => hidden });"
        "window.hide = (value) => { hidden = value; document.dispatchEvent(new Event('visibilitychange')); };"
    )
    page.goto(gateway.url)
    until_state(page, "live")
    page.evaluate("hide(true)")
    until(page, "window.__wall.tiles[0].transport === null", 8000)
    assert page.evaluate("document.querySelector('.tile').hasAttribute('data-frozen')")
    asked = len(gateway.hls_requests)
    page.evaluate("hide(false)")
    until_state(page, "live")
    assert gateway.hls_requests[asked:][0] == "gate/index.m3u8"
