"""WCAG 2.2 AA as far as a program can judge it: axe-core on every page, menu and dialog; and the way with the keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from installed import absent
from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

AXE = Path(__file__).resolve().parents[2] / ".venv/players/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
NOT_FOR_US = {"region": {"enabled": False}}
"""An open menu stands at the end of the page, over everything, and holds the focus: landmarks do not lead to it."""
JUDGE = """
async ([tags, rules]) => {
  const {violations} = await axe.run(document, {runOnly: {type: 'tag', values: tags}, rules});
  return violations.flatMap(({id, help, nodes}) => nodes.map(({target, any}) =>
    `${id}: ${help} (${target.join(' ')}) ${any.map(({message}) => message).join('; ')}`));
}
"""
FOCUSED = """() => {
  const one = document.activeElement;
  const {outlineStyle, outlineWidth, boxShadow} = getComputedStyle(one);
  const ring = (outlineStyle !== 'none' && outlineWidth !== '0px') || boxShadow !== 'none';
  const name = one.id || one.getAttribute('aria-label') || one.textContent.trim().slice(0, 30);
  return {name, ring, body: one === document.body};
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        absent("axe-core is not installed")
    return AXE.read_text()


def judged(page: Page, axe: str, what: str) -> list[str]:
    """What is against the rules in the page as it is now."""
    page.evaluate(axe)
    return [f"{what}: {line}" for line in page.evaluate(JUDGE, [RULES, NOT_FOR_US])]


@pytest.fixture
def wall(gateway: Any, make_camera: Callable[..., Any], make_stream: Callable[..., Any]) -> Any:
    """One camera in each state, with events, pushes, and sound."""
    since = {"since": 1_700_000_000.0}
    active = [{"kind": "motion", "source": "1", "since": 1_700_000_000.0}]
    gateway.cameras = [
        make_camera("gate", "Gate", state="disabled", reason="switched off in the configuration", code="disabled"),
        make_camera("yard", "Yard", state="offline", reason="the camera refuses connections", code="unreachable",
                    next_retry=4_000_000_000.0, group="Outside", **since),
        make_camera("roof", "Roof", state="stalled", reason="the video has stopped", code="stalled", **since),
        make_camera("dock", "Dock", events={"active": active}, pushes=[{"name": "", "url": "rtmp://a/b", "state": "refused",
                    "reason": "the server refused it", "code": "refused"}],
                    streams=[make_stream("dock", codec="h265", codecs="hvc1.1.6.L153.B0", audio="aac")]),
    ]  # fmt: skip
    return gateway


def test_nothing_on_the_wall_is_against_the_rules(wall: Any, snapshot_jpeg: bytes, page: Page, axe: str) -> None:
    wall.snapshot = snapshot_jpeg
    page.goto(wall.url)
    page.wait_for_function("() => window.__wall?.tiles[3]?.state === 'unplayable'")
    found = judged(page, axe, "wall")
    for button in ("view-menu", "layout-menu"):
        page.click(f"#{button}")
        page.get_by_role("menu").first.wait_for()
        found += judged(page, axe, button)
        page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    found += judged(page, axe, "help")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    page.get_by_role("dialog").wait_for()
    found += judged(page, axe, "addresses")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    page.keyboard.press("i")
    page.wait_for_timeout(300)
    found += judged(page, axe, "large picture with figures")
    page.goto(f"{wall.url}/login")
    found += judged(page, axe, "login")
    page.goto(f"{wall.url}/watch/dock?token=abc")
    page.wait_for_function("() => window.__watch?.tile")
    found += judged(page, axe, "one camera")
    print("\n".join(found))
    assert found == []


def test_nothing_on_a_phone_or_in_chinese_is_against_the_rules(wall: Any, chromium: Browser, axe: str) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, locale="zh-CN")
    page = context.new_page()
    page.goto(wall.url)
    page.wait_for_function("() => window.__wall?.tiles.length === 4")
    found = judged(page, axe, "phone")
    page.click("#more")
    page.locator("#bar-extra").wait_for(state="visible")
    found += judged(page, axe, "menu of a phone")
    assert page.evaluate("document.documentElement.lang").startswith("zh")
    context.close()
    print("\n".join(found))
    assert found == []


def test_the_signs_in_a_phones_menu_say_what_they_are(wall: Any, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 320, "height": 640}, has_touch=True, is_mobile=True, locale="en-GB")
    page = context.new_page()
    page.goto(wall.url)
    page.wait_for_function("() => window.__wall?.tiles.length === 4")
    page.click("#more")
    page.locator("#bar-extra").wait_for(state="visible")
    signs = "[...document.querySelectorAll('#bar-extra > .tool')]"
    said = page.evaluate(f"{signs}.map((one) => getComputedStyle(one, '::after').content)")
    assert said, "there are signs in it"
    assert "none" not in said, "a finger has no tooltip"
    assert page.evaluate(f"{signs}.every((one) => one.scrollWidth <= one.clientWidth)"), "no word lies over another sign"
    context.close()


def test_the_tab_key_reaches_every_control_with_a_ring_and_the_tiles_once(wall: Any, page: Page) -> None:
    page.goto(wall.url)
    page.wait_for_function("() => window.__wall?.tiles.length === 4")
    wanted = set(page.evaluate(
        "[...document.querySelectorAll('.bar :is(button, a)')].filter((one) => one.checkVisibility() && !one.disabled)"
        ".map((one) => one.id || one.getAttribute('aria-label') || one.textContent.trim().slice(0, 30))"
    ))  # fmt: skip
    reached: list[str] = []
    tiles = 0
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('tile')"):
            tiles += 1
        focused = page.evaluate(FOCUSED)
        if focused["body"]:
            break
        assert focused["ring"], f"{focused['name']} has the focus, and nothing shows it"
        reached.append(focused["name"])
    assert wanted <= set(reached), wanted - set(reached)
    assert tiles == 1, "the tiles are one stop; the arrow keys go from one to the next"
