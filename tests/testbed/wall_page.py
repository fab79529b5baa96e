"""The wall in a Chromium without a window: log in, ask the tiles, and read the clock out of the pixels they show.

Used by end-to-end tests and by `bench/wall.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gateway_process import PASSWORD, GatewayProcess
from playwright.sync_api import BrowserContext, Page

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--ignore-certificate-errors", "--autoplay-policy=no-user-gesture-required",
    "--enable-precise-memory-info",
]  # fmt: skip
PAGE_TIMEOUT_MS = 15_000

_READER = """
(tile) => {
  const id = tile.dataset.camera;
  const media = [...tile.querySelectorAll('.tile-media :is(video, canvas)')].filter((one) => one.style.opacity !== '0').at(-1);
  const width = media?.videoWidth ?? media?.width, height = media?.videoHeight ?? media?.height;
  if (!media || !width || media.readyState < 2) return {id, behind: null};
  const cell = Math.floor(height / 18);
  if (!cell) return {id, behind: null};
  const canvas = new OffscreenCanvas(cell * 13, cell * 6);
  const context = canvas.getContext('2d', {willReadFrequently: true});
  context.drawImage(media, 0, 0);
  const now = performance.timeOrigin + performance.now();
  const pixels = context.getImageData(0, 0, cell * 13, cell * 6).data;
  let code = 0n;
  for (let row = 0; row < 4; row += 1) {
    for (let column = 0; column < 11; column += 1) {
      const x = cell * (1 + column) + (cell >> 1), y = cell * (1 + row) + (cell >> 1);
      code = (code << 1n) | (pixels[4 * (y * cell * 13 + x) + 1] > 128 ? 1n : 0n);
    }
  }
  const value = code >> 4n;
  let sum = 0n;
  for (let rest = value; rest > 0n; rest >>= 4n) sum += rest & 15n;
  if ((sum & 15n) !== (code & 15n)) return {id, behind: null};
  const behind = Number((BigInt(Math.round(now)) - value) & ((1n << 40n) - 1n));
  // a black picture is a clock, too: that of the beginning of time
  return {id, behind: behind < 3600000 ? behind : null};
}
"""
READ_CLOCK = f"() => [...document.querySelectorAll('[data-camera]')].map({_READER})"
"""How many milliseconds ago the picture on each tile was taken, by the clock in its pixels; null if it cannot be read."""
OLDEST_LIVE = f"""
(id) => {{
  const read = {READ_CLOCK};
  const seen = window.__live = {{worst: 0, readings: 0, breaks: 0, since: null}};
  let wasLive = false, at = performance.now();
  const sample = () => {{
    // what stood on a screen while nothing ran is not what the page shows when it runs again
    if (performance.now() - at > 1000) wasLive = false;
    at = performance.now();
    const tile = window.__wall.tiles.find((one) => one.id === id);
    const {{behind}} = read().find((one) => one.id === id);
    const live = tile.state === 'live';
    if (live && wasLive && behind !== null) {{
      seen.worst = Math.max(seen.worst, behind);
      seen.readings += 1;
      if (seen.breaks) seen.since = Math.min(seen.since ?? Infinity, Date.now() - behind);
    }}
    if (!live && wasLive) {{
      seen.breaks += 1;
      seen.since = null;
    }}
    wasLive = live;
    setTimeout(sample, 40);
  }};
  sample();
}}
"""
"""Notes how old the oldest picture is that the tile calls live, and when the oldest was taken (Unix milliseconds) of those
that it called live since it last said that it was not. Pixels may follow the word by one refresh of the screen."""


def open_wall(context: BrowserContext, service: GatewayProcess, scheme: str = "https", transport: str = "") -> Page:
    """Log in through the login page and wait for the tiles; `transport` is the one way allowed."""
    page = context.new_page()
    page.set_default_timeout(PAGE_TIMEOUT_MS)
    address = f"{scheme}://127.0.0.1:{service.ports[scheme]}/"
    page.goto(address)
    if "/login" in page.url:
        page.fill("#password", PASSWORD)
        page.click("#login button[type=submit]")
    page.wait_for_selector("#grid, [data-camera]", state="attached")
    if transport:
        page.goto(f"{address}?transport={transport}")
    page.wait_for_selector("[data-camera]")
    return page


def tiles(page: Page) -> dict[str, dict[str, Any]]:
    """What the page says of its tiles."""
    return {tile["id"]: tile for tile in page.evaluate("window.__wall.tiles")}


def behind(page: Page) -> dict[str, int | None]:
    """Milliseconds since the picture on each tile was taken, read from its pixels."""
    return {entry["id"]: entry["behind"] for entry in page.evaluate(READ_CLOCK)}


def wait_states(page: Page, wanted: Mapping[str, tuple[str, ...]], timeout_s: float) -> float:
    """Seconds until the tiles show these states."""
    began = time.monotonic()
    while time.monotonic() - began < timeout_s:
        seen = tiles(page)
        if all(name in seen and seen[name]["state"] in states for name, states in wanted.items()):
            return time.monotonic() - began
        page.wait_for_timeout(50)
    raise AssertionError(f"wanted {wanted} within {timeout_s} s, the wall shows {tiles(page)}")
