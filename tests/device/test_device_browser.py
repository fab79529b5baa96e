"""The pad in a real Chromium, on the gateway's own page, with a simulated camera behind it: held is moving, let go is still."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.security import generate_password_hash

from gateway.config.model import Config, Discovery, HostPort, Listen
from gateway.http.access import Access
from gateway.service import Service

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
MOUNT = """async (language) => {
  localStorage.setItem("gateway.language", language);
  const { PtzPad } = await import("/static/js/ptz.js");
  const sheet = Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/static/css/ptz.css" });
  const styled = new Promise((resolve) => { sheet.onload = resolve; });
  document.head.append(sheet);
  await styled;
  const host = Object.assign(document.createElement("div"), { id: "pad" });
  Object.assign(host.style, { position: "fixed", right: "24px", bottom: "64px", zIndex: 9 });
  document.body.append(host);
  window.__pad = new PtzPad(host, "yard", null);
}"""


@pytest.fixture
def address(simulated: Any, tmp_path: Path) -> Iterator[str]:
    """A gateway with the camera, in a thread."""
    secrets = tmp_path / "data" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "admin.hash").write_text(generate_password_hash("right", method="scrypt:1024:8:1"))
    listen = Listen(None, HostPort("127.0.0.1", 0), None)
    config = Config(listen=listen, data_dir=tmp_path / "data", discovery=Discovery(enabled=False), cameras=(simulated.config,))
    ready, stop = threading.Event(), asyncio.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        access, _ = Access.open(config.data_dir)
        service = found["service"] = Service(config, access)
        found["loop"] = asyncio.get_running_loop()
        await service.start()
        while not ((device := service.device("yard")) and device.can_steer):
            await asyncio.sleep(0.05)
        ready.set()
        await stop.wait()
        await service.stop()

    thread = threading.Thread(target=lambda: asyncio.run(main()), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield f"http://127.0.0.1:{found['service'].port('http')}"
    found["loop"].call_soon_threadsafe(stop.set)
    thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    """Signed in, on the wall, with the pad mounted."""
    context = chromium.new_context(viewport={"width": 1000, "height": 620}, locale="en-US")
    try:
        page = context.new_page()
        page.problems = []  # type: ignore[attr-defined]  # for the test's own use
        page.on("pageerror", lambda error: page.problems.append(str(error)))  # type: ignore[attr-defined]
        page.on("console", lambda line: "Content Security" in line.text and page.problems.append(line.text))  # type: ignore[attr-defined]
        page.goto(address)
        page.fill("#password", "right")
        page.click("button[type=submit]")
        page.wait_for_selector(".tile")
        page.evaluate(MOUNT, "en")
        page.wait_for_selector(".ptz-stick:not([hidden])")
        yield page
        assert page.problems == []  # type: ignore[attr-defined]
    finally:
        context.close()


def test_pad_moves_the_camera_while_it_is_held(simulated: Any, page: Page, until: Any, tmp_path: Path) -> None:
    head = simulated.camera.head

    def moving() -> bool:
        return bool(head.moving(time.monotonic()))

    def place() -> Any:
        return head.place(time.monotonic())

    def settled() -> None:
        until(lambda: not moving())

    box = page.locator(".ptz-stick").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    # pointer: right and a little up, for longer than the gateway waits for a silent browser
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y - 20, steps=5)
    until(moving)
    page.wait_for_timeout(1500)
    assert moving()
    page.screenshot(path=str(tmp_path / "pad-moving.png"))
    page.mouse.up()
    settled()
    pan, tilt, zoom = place()
    assert pan > 0.2
    assert 0 < tilt < pan
    assert zoom == 0
    # keyboard, although the wall has the arrow keys too
    page.locator(".tile").first.focus()
    page.keyboard.down("ArrowLeft")
    until(moving)
    page.keyboard.up("ArrowLeft")
    settled()
    assert place()[0] < pan
    page.keyboard.down("+")
    until(lambda: place()[2] > 0.1)
    page.keyboard.up("+")
    settled()
    # a page that loses the focus lets go
    page.keyboard.down("ArrowDown")
    until(moving)
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    settled()
    page.keyboard.up("ArrowDown")
    # on a Mac no key is told to be let go of while Cmd is held
    page.keyboard.down("ArrowLeft")
    until(moving)
    page.keyboard.down("Meta")
    settled()
    page.keyboard.up("Meta")
    page.keyboard.up("ArrowLeft")
    # an open menu has the arrow keys for itself
    page.click("#view-menu")
    before = place()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.matches('[role=menu] > :nth-child(2)')")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("[role=menu]")
    page.keyboard.press("Escape")
    assert place() == before
    # presets: saved, listed, gone to by their number, removed by a second press
    page.click(".ptz-do-presets")
    page.fill(".ptz-name", "Gate <b>1</b>")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Gate <b>1</b>")
    saved = place()
    page.screenshot(path=str(tmp_path / "pad-presets.png"))
    page.locator(".ptz-stick").focus()
    page.keyboard.press("Home")
    until(lambda: place() == (0, 0, 0))
    page.keyboard.press("1")
    until(lambda: place() == saved)
    page.click(".ptz-forget")
    assert head.presets
    page.click(".ptz-forget")
    until(lambda: not head.presets)
    page.wait_for_selector(".ptz-none")
    # taken away while it moves
    page.locator(".ptz-stick").focus()
    page.keyboard.down("ArrowUp")
    until(moving)
    page.evaluate("window.__pad.destroy()")
    settled()
    assert page.locator(".ptz").count() == 0


def test_pad_says_why_nothing_happens_in_the_users_language(simulated: Any, page: Page, tmp_path: Path) -> None:
    simulated.run(simulated.camera.go_dark())
    page.locator(".ptz-stick").focus()
    page.keyboard.down("ArrowRight")
    page.wait_for_function("() => document.querySelector('.ptz-trouble').textContent.startsWith('The camera did not do it: ')")
    page.keyboard.up("ArrowRight")
    assert "127.0.0.1" in page.inner_text(".ptz-trouble")
    page.evaluate("window.__pad.destroy()")
    page.evaluate(MOUNT, "zh")
    page.wait_for_selector(".ptz-button[title='停止']")
    page.screenshot(path=str(tmp_path / "pad-zh.png"))


def test_motion_is_marked_on_the_tile(simulated: Any, page: Page, tmp_path: Path) -> None:
    page.evaluate("window.__pad.destroy()")
    assert page.locator(".tile-events").is_hidden()
    simulated.call(lambda: simulated.camera.events.report("motion", True))
    page.wait_for_function("() => document.querySelector('.tile-events').textContent === 'Motion'")
    simulated.call(lambda: simulated.camera.events.report("tamper", True))
    page.wait_for_selector(".tile-events[data-grave]")
    page.screenshot(path=str(tmp_path / "events.png"))
    for what in ("motion", "tamper"):
        simulated.call(lambda what=what: simulated.camera.events.report(what, False))
    page.wait_for_selector(".tile-events", state="hidden")


def test_page_of_a_camera_advises_and_sets_its_clock(simulated: Any, page: Page, tmp_path: Path) -> None:
    page.evaluate("window.__pad.destroy()")
    simulated.camera.clock_offset_s = 3000.0
    address = page.url.partition("#")[0].rstrip("/")
    page.goto(f"{address}/cameras/yard")
    page.wait_for_selector("text=s fast: set it from the gateway")
    assert "Virtual Camera" in page.inner_text(".facts")
    assert "Last picture 20" in page.inner_text(".sheet-head"), "the page stands still: it says of when its picture is"
    page.screenshot(path=str(tmp_path / "camera.png"), full_page=True)
    page.click("button[data-language=zh]")
    page.wait_for_selector("text=摄像机时钟快")
    page.screenshot(path=str(tmp_path / "camera-zh.png"), full_page=True)
    page.click("form[action$=clock] button")
    page.wait_for_selector(".good")
    assert abs(simulated.camera.clock_offset_s) < 3
    assert page.locator("form[action$=clock]").count() == 0, "there is nothing left to set"
    page.click("button[data-language=en]")
    page.click("summary:has-text('Restart the camera')")
    page.click("form[action$=reboot] button")
    page.wait_for_selector("text=The camera restarts.")


def test_page_of_a_camera_is_for_the_admin(simulated: Any, address: str) -> None:
    for path, data in (("/cameras/yard", None), ("/cameras/yard/reboot", b""), ("/cameras/yard/clock", b"csrf=1")):
        request = urllib.request.Request(address + path, data)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                assert answer.url.endswith("/login?next=/cameras/yard")
        except urllib.error.HTTPError as error:
            with error:
                assert error.code in (400, 401, 403)
    assert not simulated.camera.faults.dark
