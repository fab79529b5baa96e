#!/usr/bin/env python3
"""Takes the pictures of docs/images: a real gateway with simulated cameras, looked at with Chromium.

    .venv/bin/python docs/screenshots.py                            those that the pages show, into docs/images
    .venv/bin/python docs/screenshots.py --only focus,phone         some of them
    .venv/bin/python docs/screenshots.py --all --output DIR --png   every scene, elsewhere, without loss: to judge a change

Needs what `./install.sh test` installs (Chromium, Playwright). Six simulated cameras serve all tiles, also of a wall of 36.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "testbed"))

from gateway_process import PASSWORD, GatewayProcess
from playwright.sync_api import Browser, Page, TimeoutError, sync_playwright

HERE = Path(__file__).resolve().parent
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--ignore-certificate-errors",
         "--autoplay-policy=no-user-gesture-required"]  # fmt: skip
SOURCES = 6
CAMERA_PASSWORD = "camera-demo"
DEAD = "rtsp://127.0.0.1:9/gone"
PLACES = {
    "Entrances": ("Front door", "Back door", "Gate", "Reception"),
    "Outside": ("Yard", "Car park", "Fence north", "Fence south", "Roof", "Bicycles"),
    "Warehouse": ("Loading dock", "Aisle A", "Aisle B", "Aisle C", "Cold store", "Packing"),
}
PLACES_ZH = {
    "出入口": ("正门", "后门", "大门", "前台"),
    "室外": ("院子", "停车场", "北围墙", "南围墙", "屋顶", "自行车棚"),
    "仓库": ("装卸区", "A 通道", "B 通道", "C 通道", "冷库", "包装区"),
}
SITES = {"en": "Warehouse 3", "zh": "三号仓库"}
NOWHERE = "rtmp://127.0.0.1:9/live/yard"
LIVE_WITHIN_MS = 40_000
QUALITY = 72
MAX_BYTES = 200_000


@dataclass
class Scene:
    """One picture. `act` brings the page into the state to be shown."""

    cameras: int
    act: Callable[[Page], None] = lambda page: None
    path: str = "/"
    size: tuple[int, int] = (1280, 720)
    locale: str = "en-GB"
    touch: bool = False
    offline: tuple[int, ...] = ()
    h265: tuple[int, ...] = ()
    """Without a stream that Chromium can decode."""
    reporting: tuple[int, ...] = ()
    """These report motion and tampering."""
    pushed: tuple[int, ...] = ()
    """To a server that is not there."""
    settle_ms: int = 2500
    wait_live: bool = True

    @property
    def language(self) -> str:
        """Of the names of cameras and site."""
        return self.locale[:2]

    @property
    def site(self) -> tuple[Any, ...]:
        """What the gateway has to be set up with: scenes that agree in it share one."""
        return self.cameras, self.language, self.offline, self.h265, self.reporting, self.pushed


def press(*keys: str) -> Callable[[Page], None]:
    """Press these keys one after the other."""

    def act(page: Page) -> None:
        for key in keys:
            page.keyboard.press(key)

    return act


def open_menu(name: str) -> Callable[[Page], None]:
    """Open the menu of a button of the bar."""
    return lambda page: page.click(f"#{name}")


def share(page: Page) -> None:
    """The addresses of the first camera, signed for some hours."""
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.select_option("#share-lifetime", "8h")
    # What is printed here must open nothing anywhere.
    page.wait_for_timeout(500)


def new_view(page: Page) -> None:
    """The editor of views with some cameras chosen."""
    page.click("#view-menu")
    page.get_by_role("menuitem", name="New view").click()
    page.fill("#view-name", "Night shift")


def zoomed(page: Page) -> None:
    """The large picture, zoomed in, with its figures."""
    press("ArrowRight", "Enter", "i")(page)
    page.wait_for_timeout(2500)
    press("+", "+")(page)


def opened_incidents(page: Page) -> None:
    """The health page once it has seen more than the start, and the dead camera has its incident."""
    page.wait_for_timeout(90_000)
    page.locator(".card", has=page.locator('[data-state="offline"], [data-state="stalled"]')).first.locator("summary").click()
    page.evaluate("scrollTo(0, 0)")


SCENES: dict[str, Scene] = {
    "wall-1": Scene(1),
    "wall-4": Scene(4),
    "wall-16": Scene(16, offline=(6,), h265=(9,), reporting=(1, 11), pushed=(4,), settle_ms=6000),
    "wall-36": Scene(36, size=(1920, 1080), settle_ms=6000),
    "layout-1-5": Scene(6, path="/#layout=1%2B5"),
    "focus": Scene(4, press("ArrowRight", "Enter", "i"), settle_ms=5000),
    "zoom": Scene(4, zoomed),
    "help": Scene(4, press("?")),
    "help-zh": Scene(4, press("?"), locale="zh-CN"),
    "wall-zh": Scene(9, locale="zh-CN", offline=(6,), h265=(4,), reporting=(1,), settle_ms=6000),
    "views": Scene(16, open_menu("view-menu")),
    "layouts": Scene(16, open_menu("layout-menu")),
    "editor": Scene(16, new_view),
    "tour": Scene(16, path="/#layout=3x3&tour=10", settle_ms=1000),
    "share": Scene(4, share),
    "stats-16": Scene(16, press("i")),
    "phone": Scene(6, size=(390, 844), touch=True, offline=(2,)),
    "phone-menu": Scene(6, open_menu("more"), size=(390, 844), touch=True),
    "phone-focus": Scene(6, lambda page: page.locator(".tile").first.dblclick(), size=(390, 844), touch=True),
    "phone-wide": Scene(6, size=(844, 390), touch=True),
    "kiosk": Scene(16, path="/?kiosk=1"),
    "watch": Scene(4, path="/watch/front-door", settle_ms=3000),
    "watch-phone": Scene(4, path="/watch/front-door", size=(390, 844), touch=True, settle_ms=3000),
    "watch-offline": Scene(4, path="/watch/front-door", offline=(0,), settle_ms=3000),
    "health": Scene(6, opened_incidents, path="/health", offline=(5,), wait_live=False),
    "health-zh": Scene(6, opened_incidents, path="/health", offline=(5,), wait_live=False, locale="zh-CN"),
    "health-phone": Scene(6, path="/health", offline=(5,), size=(390, 844), touch=True, wait_live=False),
    "empty": Scene(0, wait_live=False),
    "login": Scene(1, path="/login", wait_live=False),
}


def main() -> int:
    """Take the pictures."""
    options = arguments()
    wanted = chosen(options)
    options.output.mkdir(parents=True, exist_ok=True)
    too_large = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sources = stack.enter_context(simulator("--cameras", str(SOURCES), "--base-port", str(options.base_port)))
        if any(SCENES[name].h265 for name in wanted):
            h265 = stack.enter_context(simulator("--cameras", "1", "--base-port", "0", "--video", "h265"))
            sources["h265"] = h265["cameras"][0]
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        stack.callback(browser.close)
        served: tuple[Any, ...] | None = None
        gateway: GatewayProcess | None = None
        # One gateway at a time, for all scenes with the same cameras.
        for name in sorted(wanted, key=lambda one: SCENES[one].site):
            scene = SCENES[name]
            if gateway is None or scene.site != served:
                if gateway is not None:
                    gateway.end()
                served = scene.site
                place = folder / name
                place.mkdir()
                gateway = GatewayProcess(place, cameras(scene, sources), {"site": SITES[scene.language]})
                stack.callback(gateway.end)
                report(scene, sources, "on")
            file = options.output / f"{name}.{'png' if options.png else 'jpg'}"
            picture(browser, gateway, scene, file)
            size = file.stat().st_size
            print(f"{file}  {size // 1000} kB", flush=True)
            if size > MAX_BYTES and not options.png:
                too_large.append(name)
    if too_large:
        print(f"larger than {MAX_BYTES // 1000} kB: {', '.join(too_large)}", file=sys.stderr)
    return 1 if too_large else 0


def chosen(options: argparse.Namespace) -> list[str]:
    """Names of the scenes to take."""
    if options.all:
        return list(SCENES)
    if options.only:
        return [name for name in SCENES if name in options.only.split(",")]
    pages = "".join(page.read_text(encoding="utf-8") for page in (*HERE.glob("*.md"), *HERE.parent.glob("README*.md")))
    return [name for name in SCENES if f"images/{name}.jpg" in pages]


def picture(browser: Browser, gateway: GatewayProcess, scene: Scene, file: Path) -> None:
    """One scene into one file."""
    width, height = scene.size
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale=scene.locale, ignore_https_errors=True,
        has_touch=scene.touch, is_mobile=scene.touch,
    )  # fmt: skip
    try:
        page = context.new_page()
        page.set_default_timeout(15_000)
        base = f"https://127.0.0.1:{gateway.ports['https']}"
        if scene.path != "/login":
            page.goto(f"{base}/login")
            page.fill("#password", PASSWORD)
            page.click("#login button[type=submit]")
            page.wait_for_selector("#stage")
        page.goto(base + scene.path)
        if scene.wait_live:
            wait_live(page, file.stem)
        scene.act(page)
        page.wait_for_timeout(scene.settle_ms)
        if file.suffix == ".png":
            page.screenshot(path=file)
        else:
            page.screenshot(path=file, type="jpeg", quality=QUALITY)
    finally:
        context.close()


def wait_live(page: Page, name: str) -> None:
    """Until every tile on the screen is live or known to be away; a busy machine gets its picture with a warning."""
    try:
        page.wait_for_function(
            "() => document.querySelector('.tile') && [...document.querySelectorAll('.tile:not([hidden])')].every(tile => "
            "['live', 'offline', 'unplayable'].includes(tile.dataset.state))",
            timeout=LIVE_WITHIN_MS,
        )
    except TimeoutError:
        states = page.locator(".tile:not([hidden])").evaluate_all("tiles => tiles.map(tile => tile.dataset.state)")
        counts = ", ".join(f"{states.count(one)} {one}" for one in sorted(set(states)))
        print(f"{name}: not all pictures move ({counts})", file=sys.stderr)


def cameras(scene: Scene, sources: dict[str, Any]) -> dict[str, Any]:
    """The section of config.yaml."""
    english = [name for members in PLACES.values() for name in members]
    shown = PLACES_ZH if scene.language == "zh" else PLACES
    names = [(group, name) for group, members in shown.items() for name in members]
    made: dict[str, Any] = {}
    for number in range(scene.cameras):
        group, name = names[number % len(names)]
        again = number // len(names)
        camera_id = english[number % len(names)].lower().replace(" ", "-")
        source = sources["cameras"][number % SOURCES]
        made[f"{camera_id}-{again + 1}" if again else camera_id] = {
            "name": f"{name} {again + 1}" if again else name, "group": group,
            "username": "admin", "password": CAMERA_PASSWORD, **address(scene, number, source, sources),
        }  # fmt: skip
    return made


def address(scene: Scene, number: int, source: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """Where one camera is."""
    if number in scene.offline:
        return {"rtsp": DEAD}
    if number in scene.h265:
        return {"rtsp": sources["h265"]["main"]}
    if number in scene.reporting:
        return {"address": urlsplit(source["onvif"]).netloc}
    push = {"push": [NOWHERE]} if number in scene.pushed else {}
    return {"rtsp": source["main"], "sub": source["sub"], **push}


def report(scene: Scene, sources: dict[str, Any], value: str) -> None:
    """Let the cameras report something that goes on: the first motion, the others tampering."""
    for number in scene.reporting:
        kind = "motion" if number == scene.reporting[0] else "tamper"
        url = f"{sources['control']}/{number % SOURCES + 1}/{kind}?value={value}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10).close()


@contextmanager
def simulator(*options: str) -> Iterator[dict[str, Any]]:
    """Small cameras in a process of their own."""
    command = [
        sys.executable, "-m", "gateway.cli", "simulate", "--json", "--until-eof", "--no-discovery",
        "--fps", "8", "--gop", "16", "--bitrate", "700", *options,
    ]  # fmt: skip
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", metavar="NAME,...", help=", ".join(SCENES))
    parser.add_argument("--all", action="store_true", help="also scenes that no page shows")
    parser.add_argument("--output", type=Path, default=HERE / "images")
    parser.add_argument("--png", action="store_true")
    parser.add_argument("--base-port", type=int, default=0, help="of the simulated cameras (default: free ones)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
