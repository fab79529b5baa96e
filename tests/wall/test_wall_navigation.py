"""Layouts, views, keys, tour, order, addresses and dialogs of the wall in a real Chromium.

Cameras are switched off here: what they show is another test's concern, and nothing has to be decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

LAYOUTS = {"1": 1, "2x2": 4, "3x3": 9, "4x4": 16, "5x5": 25, "6x6": 36, "1+5": 6, "1+7": 8}
RECTANGLES = """() => [...document.querySelectorAll('.tile')].filter(tile => !tile.hidden).map(tile => {
  const { left, top, right, bottom } = tile.getBoundingClientRect();
  return [left, top, right, bottom];
})"""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "locale": "en-US"}


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Neither scripts nor the security policy complain. The fake gateway has few media and no live one, which is told."""
    complaints: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "WebSocket" not in message.text:
            complaints.append(message.text)

    page.on("console", on_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert [text for text in complaints if "401" not in text and "404" not in text] == []


@pytest.fixture
def cameras(gateway: Any, make_camera: Callable[..., Any]) -> Callable[..., None]:
    """`cameras(16)`: so many of them, every second one in the group North."""

    def make(count: int, **changes: Any) -> None:
        gateway.cameras = []
        for number in range(1, count + 1):
            described = {"state": "disabled", "group": "North" if number % 2 else None, **changes}
            gateway.cameras.append(make_camera(f"c{number}", f"Camera {number}", **described))

    return make


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("window.__wall.state")
    return found


def opened(page: Page, url: str) -> None:
    page.goto(url)
    page.wait_for_function("() => window.__wall?.state.view !== undefined && window.__wall.state.view !== null")


def until(page: Page, condition: str, timeout_ms: int = 8000) -> None:
    page.wait_for_function(f"() => {condition}", timeout=timeout_ms, polling=50)


def until_state(page: Page, name: str, value: Any) -> None:
    page.wait_for_function(
        "([name, value]) => JSON.stringify(window.__wall.state[name]) === JSON.stringify(value)",
        arg=[name, value],
        timeout=8000,
    )


@pytest.mark.parametrize("count", [1, 4, 16, 36])
def test_tiles_fill_the_screen_without_overlap_or_scrollbar(
    gateway: Any, cameras: Callable[..., None], page: Page, count: int
) -> None:
    cameras(count)
    opened(page, gateway.url)
    for layout, size in {"auto": 36, **LAYOUTS}.items():
        page.evaluate("layout => { location.hash = new URLSearchParams({ layout }) }", layout)
        until_state(page, "layout", layout)
        rectangles = page.evaluate(RECTANGLES)
        assert len(rectangles) == min(count, size), layout
        assert state(page)["pages"] == -(-count // size), layout
        for index, (left, top, right, bottom) in enumerate(rectangles):
            assert (left >= 0, top >= 48, right <= 1280, bottom <= 720) == (True,) * 4, (layout, index)
            for other in rectangles[index + 1 :]:
                apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                assert apart, (layout, index)
        assert page.evaluate(
            "document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"
        )
    widest = max(right - left for left, _, right, _ in rectangles)
    assert widest > 300


def test_keys_select_number_and_turn_pages(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(16)
    opened(page, f"{gateway.url}/#layout=3x3")
    page.keyboard.press("ArrowRight")
    assert state(page)["selected"] == "c1", "the first press shows where the selection is"
    for key in ("ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert state(page)["selected"] == "c5"
    assert page.evaluate("document.activeElement.dataset.camera") == "c5"
    page.keyboard.press("PageDown")
    assert (state(page)["page"], state(page)["selected"]) == (1, "c10")
    page.keyboard.type("12")
    until_state(page, "selected", "c12")
    page.keyboard.press("3")
    until_state(page, "selected", "c3")
    assert state(page)["page"] == 0
    page.keyboard.press("9")
    page.keyboard.press("9")
    page.keyboard.press("[")
    assert page.locator("#notice").inner_text() == "9 · Camera 9"
    assert state(page)["page"] == 1, "one page back from the first leads to the last"
    page.keyboard.press("Control+f")
    assert page.evaluate("document.fullscreenElement === null"), "the browser's own keys are left to it"


def test_a_large_picture_is_main_covers_the_wall_and_goes_with_escape_back_or_double_click(
    gateway: Any, source: Any, make_camera: Callable[..., Any], make_stream: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [
        make_camera(name, name, streams=[make_stream(name), make_stream(f"{name}.sub")]) for name in ("gate", "yard")
    ]
    gateway.media = dict.fromkeys(("gate", "gate.sub", "yard", "yard.sub"), source.directory)
    opened(page, gateway.url)
    until(page, "window.__wall.tiles.every(tile => tile.state === 'live')", 20000)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    until_state(page, "focused", "yard")
    assert page.evaluate("location.hash") == "#view=all&layout=auto&focus=yard"
    until(page, "window.__wall.tile('yard').stats().stream === 'yard'")
    assert page.evaluate("window.__wall.tile('gate').stats().stream") == "gate.sub", "a glance does not stop the others"
    box = page.locator(".tile.focused").bounding_box()
    assert box is not None
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 48, 1280, 672)
    assert page.locator("[data-camera=gate]").evaluate("tile => tile.inert")
    page.keyboard.press("ArrowRight")
    assert state(page)["focused"] == "gate"
    page.keyboard.press("Escape")
    until(page, "location.hash === '#view=all&layout=auto'")
    assert (state(page)["focused"], state(page)["selected"]) == (None, "gate")
    page.locator("[data-camera=yard]").dblclick()
    until_state(page, "focused", "yard")
    page.go_back()
    until_state(page, "focused", None)
    until(page, "window.__wall.tile('yard').stats().stream === 'yard.sub'")
    page.go_forward()
    until_state(page, "focused", "yard")
    page.reload()
    until(page, "window.__wall?.state.focused === 'yard'")
    page.locator(".tile.focused").dblclick()
    until_state(page, "focused", None)


def test_zoom_follows_wheel_keys_and_drag_and_ends_with_the_large_picture(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(4)
    opened(page, f"{gateway.url}/#focus=c2")
    until_state(page, "focused", "c2")
    page.mouse.move(300, 300)
    page.mouse.wheel(0, -600)
    until(page, "window.__wall.state.zoom > 2")
    before = page.evaluate("document.querySelector('.tile.focused').style.getPropertyValue('--pan-x')")
    page.mouse.down()
    page.mouse.move(200, 300, steps=4)
    page.mouse.up()
    after = page.evaluate("document.querySelector('.tile.focused').style.getPropertyValue('--pan-x')")
    assert float(after[:-2]) == pytest.approx(float(before[:-2]) - 100, abs=1)
    assert state(page)["focused"] == "c2"
    page.keyboard.press("ArrowRight")
    assert state(page)["focused"] == "c2", "arrows move a zoomed picture"
    page.keyboard.press("+")
    assert page.locator(".tile-tools [data-command=zoomReset]").inner_text() == f"{state(page)['zoom']:.1f}×"
    page.keyboard.press("Escape")
    until_state(page, "focused", None)
    assert page.locator("[data-camera=c2]").evaluate("tile => tile.style.getPropertyValue('--zoom')") == ""


def test_a_tour_turns_pages_waits_for_people_and_stops(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(8)
    opened(page, f"{gateway.url}/#layout=2x2&tour=2")
    assert state(page)["tour"]["left"] <= 2
    until(page, "document.querySelector('#tour-menu .pick-text').textContent.startsWith('Next in')")
    until(page, "window.__wall.state.page === 1 && location.hash.includes('page=2')", 15000)
    page.keyboard.press("ArrowRight")
    assert state(page)["tour"]["paused"]
    until(page, "document.querySelector('#tour-menu .pick-text').textContent === 'Tour paused'")
    page.keyboard.press("t")
    assert state(page)["tour"] is None
    assert page.evaluate("location.hash") == "#view=all&layout=2x2&page=2"


def test_a_tour_of_one_page_shows_each_camera_large(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(3)
    opened(page, gateway.url)
    page.keyboard.press("t")
    assert state(page)["focused"] == "c1"
    page.evaluate("location.hash = location.hash.replace('tour=10', 'tour=1')")
    until(page, "window.__wall.state.focused === 'c2'", 15000)
    page.keyboard.press("Escape")
    assert (state(page)["focused"], state(page)["tour"]) == (None, None)


def test_a_tour_that_the_address_asks_for_knows_the_layout_that_comes_with_it(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    """All were on one page until then; the tour showed them large one by one, and forgot the page of the address."""
    cameras(8)
    opened(page, gateway.url)
    page.evaluate("location.hash = '#layout=2x2&page=2&tour=30'")
    until(page, "window.__wall.state.tour?.left > 20")
    assert (state(page)["focused"], state(page)["page"], state(page)["layout"]) == (None, 1, "2x2")


def test_a_tour_of_pages_leaves_the_picture_that_somebody_made_large(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    """An incident was turned away half a minute after the hand had left the mouse."""
    cameras(8)
    opened(page, f"{gateway.url}/#layout=2x2&tour=5")
    until_state(page, "pages", 2)
    page.keyboard.press("1")
    until_state(page, "selected", "c1")
    page.keyboard.press("Enter")
    until_state(page, "focused", "c1")
    # a minute passes for the tour, and then three of its looks at the clock
    page.evaluate("() => { const real = performance.now.bind(performance); performance.now = () => real() + 60_000; }")
    page.wait_for_timeout(800)
    assert state(page)["focused"] == "c1"
    assert state(page)["tour"]["paused"]
    page.keyboard.press("Escape")
    until_state(page, "focused", None)
    assert state(page)["tour"] is not None, "the wall is the tour's again"
    page.keyboard.press("Escape")
    assert state(page)["tour"] is None


def test_a_tour_that_made_a_picture_large_goes_on_when_there_are_more_pages(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    """A screen that nobody attends would have shown one camera for ever."""
    cameras(3)
    opened(page, f"{gateway.url}/#layout=2x2&tour=1")
    until(page, "window.__wall.state.focused === 'c2'", 15000)
    cameras(8)
    until_state(page, "pages", 2)
    large = state(page)["focused"]
    until(page, f"window.__wall.state.focused !== '{large}'", 15000)


def test_a_layout_that_was_chosen_stays_after_a_large_picture(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(6)
    gateway.views = [{"id": "doors", "name": "Doors", "cameras": ["c6", "c1"], "layout": "1+5"}]
    opened(page, f"{gateway.url}/#view=doors")
    for layout in ("2 × 2", "1 + 5"):
        page.click("#layout-menu")
        page.get_by_role("menuitemradio", name=layout, exact=True).click()
    page.keyboard.press("Enter")
    until(page, "window.__wall.state.focused !== null")
    page.keyboard.press("Escape")
    until_state(page, "focused", None)
    until(page, "!location.hash.includes('focus')")
    assert state(page)["layout"] == "1+5"


def test_back_ends_a_tour_of_one_page(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    """Each step back made the next camera large."""
    cameras(3)
    opened(page, gateway.url)
    page.keyboard.press("t")
    until_state(page, "focused", "c1")
    page.go_back()
    until_state(page, "focused", None)
    assert state(page)["tour"] is None


def test_a_large_camera_that_is_taken_away_leaves_an_ordinary_wall(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(3)
    opened(page, f"{gateway.url}/#focus=c3")
    until_state(page, "focused", "c3")
    cameras(2)
    until_state(page, "cameras", ["c1", "c2"])
    assert "focus" not in page.evaluate("location.hash")
    page.keyboard.press("2")
    until_state(page, "selected", "c2")
    assert state(page)["focused"] is None, "keys are those of the wall"


def test_an_own_view_keeps_a_camera_that_is_missing_for_a_moment(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(3)
    opened(page, gateway.url)
    page.click("#view-menu")
    page.get_by_role("menuitem", name="New view").click()
    page.keyboard.type("Night")
    page.get_by_role("button", name="Save").click()
    until_state(page, "cameras", ["c1", "c2", "c3"])
    cameras(2)
    until_state(page, "cameras", ["c1", "c2"])
    page.keyboard.press("2")
    until_state(page, "selected", "c2")
    page.keyboard.press("Shift+ArrowLeft")
    until_state(page, "cameras", ["c2", "c1"])
    page.reload()
    until(page, "window.__wall?.state.cameras.length === 2")
    assert state(page)["view"] == "own:1", "and not one from a link"
    cameras(3)
    until_state(page, "cameras", ["c2", "c3", "c1"])


def test_the_cameras_that_are_not_live_are_a_click_away(
    gateway: Any, cameras: Callable[..., None], make_camera: Callable[..., Any], snapshot_jpeg: bytes, page: Page
) -> None:
    gateway.snapshot = snapshot_jpeg
    cameras(8, state="offline")
    gateway.cameras[1] = make_camera("c2", "Camera 2", state="disabled")
    opened(page, f"{gateway.url}/#layout=2x2")
    page.get_by_role("button", name="0 of 7 live").click()
    rows = page.locator("[role=menuitem] .menu-label")
    assert rows.all_inner_texts() == [f"Camera {number}" for number in (1, 3, 4, 5, 6, 7, 8)], "one is switched off"
    page.get_by_role("menuitem", name="Camera 7").click()
    until_state(page, "selected", "c7")
    assert state(page)["page"] == 1


def test_a_wall_without_cameras_has_no_tour_and_does_not_fail(gateway: Any, page: Page) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    gateway.cameras = []
    page.goto(gateway.url)
    page.wait_for_selector("#empty:not([hidden])")
    assert page.locator("#tour-menu").is_hidden()
    page.keyboard.press("?")
    page.wait_for_selector("dialog[open]")
    assert errors == []


def test_a_phone_that_is_turned_there_and_back_shows_the_same_page(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(9)
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, gateway.url)
    until(page, "window.__wall.state.pages > 1")
    page.get_by_role("button", name="Next page").click()
    until_state(page, "page", 1)
    shown = state(page)["shown"]
    page.set_viewport_size({"width": 844, "height": 390})
    until_state(page, "pages", 1)
    page.set_viewport_size({"width": 390, "height": 844})
    until_state(page, "shown", shown)


HEAR = """
() => {
  const box = document.querySelector('#announcements');
  window.__heard = [];
  const listener = new MutationObserver(() => window.__heard.push(box.textContent));
  listener.observe(box, {childList: true, characterData: true, subtree: true});
}
"""


def test_tiles_are_put_in_order_by_dragging_and_with_keys_and_this_device_remembers(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(4)
    opened(page, gateway.url)
    boxes = {name: page.locator(f"[data-camera={name}]").bounding_box() for name in ("c1", "c4")}
    (x1, y1), (x4, y4) = [(box["x"] + 80, box["y"] + 80) for box in boxes.values() if box]
    page.mouse.move(x1, y1)
    page.mouse.down()
    page.mouse.move(x1 + 30, y1 + 30)
    page.mouse.move(x4, y4, steps=4)
    assert page.locator(".drag-ghost").inner_text() == "Camera 1"
    assert page.locator(".drop-target").get_attribute("data-camera") == "c4"
    page.mouse.up()
    assert state(page)["cameras"] == ["c2", "c3", "c4", "c1"]
    assert page.locator("[data-camera=c1]").bounding_box() == boxes["c4"]
    page.keyboard.press("2")
    until_state(page, "selected", "c3")
    page.evaluate(HEAR)  # what is read out may be followed at once by something else
    page.keyboard.press("Shift+ArrowLeft")
    assert state(page)["cameras"] == ["c3", "c2", "c4", "c1"]
    until(page, "window.__heard.includes('Camera 3: place 1 of 4')")
    page.reload()
    until(page, "window.__wall?.state.cameras.join() === 'c3,c2,c4,c1'")
    page.click("#view-menu")
    page.get_by_role("menuitem", name="Original order").click()
    assert state(page)["cameras"] == ["c1", "c2", "c3", "c4"]


def test_views_of_site_groups_and_own_and_a_link_that_carries_them(
    gateway: Any, cameras: Callable[..., None], context: BrowserContext, chromium: Browser, page: Page
) -> None:
    cameras(6)
    gateway.views = [{"id": "doors", "name": "Doors", "cameras": ["c6", "c1"], "layout": "1+5"}]
    opened(page, gateway.url)
    page.click("#view-menu")
    assert page.locator("[role=menuitemradio] .menu-label").all_inner_texts() == ["All cameras", "Doors", "North"]
    page.get_by_role("menuitemradio", name="Doors").click()
    assert (state(page)["cameras"], state(page)["layout"]) == (["c6", "c1"], "1+5")
    assert page.evaluate("location.hash") == "#view=doors"
    page.focus("#view-menu")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert state(page)["cameras"] == ["c1", "c3", "c5"]
    page.click("#view-menu")
    page.get_by_role("menuitem", name="New view").click()
    page.keyboard.type("Night shift")
    page.get_by_label("Move Camera 5 up").click()
    page.locator(".editor-row", has_text="Camera 2").locator(".check").click()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save").click()
    assert state(page)["cameras"] == ["c1", "c5", "c3", "c2"]
    link = page.url
    assert link.endswith("#view=own:1&cameras=c1,c5,c3,c2&layout=auto")
    page.goto("about:blank")
    opened(page, gateway.url)
    assert state(page)["view"] == "own:1", "the view shown last is remembered"
    elsewhere = chromium.new_context(locale="en-US")
    other = elsewhere.new_page()
    opened(other, link)
    assert (state(other)["view"], state(other)["cameras"]) == ("linked", ["c1", "c5", "c3", "c2"])
    assert other.locator("#view-menu .pick-text").inner_text() == "From a link"
    elsewhere.close()


def test_layouts_are_remembered_per_view(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(6)
    opened(page, gateway.url)
    page.click("#layout-menu")
    page.get_by_role("menuitemradio", name="2 × 2").click()
    assert state(page)["pages"] == 2
    page.click("#view-menu")
    page.get_by_role("menuitemradio", name="North").click()
    assert state(page)["layout"] == "auto"
    page.goto("about:blank")
    opened(page, f"{gateway.url}/#view=all")
    assert state(page)["layout"] == "2x2"


def test_a_view_without_cameras_leads_back_to_all(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(2)
    gateway.views = [{"id": "old", "name": "Old", "cameras": ["gone"], "layout": None}]
    opened(page, f"{gateway.url}/#view=old")
    page.get_by_role("button", name="Show all cameras").click()
    assert state(page)["cameras"] == ["c1", "c2"]


def test_sound_is_one_cameras_and_ends_with_its_picture(
    gateway: Any, cameras: Callable[..., None], make_stream: Callable[..., Any], page: Page
) -> None:
    cameras(5)
    for camera in gateway.cameras[:2]:
        camera["streams"] = [make_stream(camera["id"], audio="aac")]
    opened(page, f"{gateway.url}/#layout=2x2")
    page.keyboard.press("1")
    until_state(page, "selected", "c1")
    page.keyboard.press("m")
    assert state(page)["heard"] == "c1"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("m")
    assert state(page)["heard"] == "c2"
    assert page.evaluate("[window.__wall.tile('c1').muted, window.__wall.tile('c2').muted]") == [True, False]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("m")
    assert page.locator("#notice").inner_text() == "Camera 4 has no sound."
    page.keyboard.press("PageDown")
    assert state(page)["heard"] is None


def test_a_picture_is_saved_and_figures_are_shown(
    gateway: Any, source: Any, make_camera: Callable[..., Any], page: Page
) -> None:
    gateway.cameras = [make_camera("gate", "Gate / north")]
    gateway.media = {"gate": source.directory}
    opened(page, gateway.url)
    until(page, "window.__wall.tiles[0].state === 'live'", 20000)
    page.keyboard.press("ArrowRight")
    with page.expect_download() as download:
        page.keyboard.press("s")
    assert re.fullmatch(r"Gate north \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png", download.value.suggested_filename)
    page.keyboard.press("i")
    until(page, "document.querySelector('.tile-stats')?.textContent.includes('320 × 180')")
    assert "LL-HLS" in page.locator(".tile-stats").inner_text()
    page.keyboard.press("i")
    assert page.locator(".tile-stats").count() == 0


def test_the_help_lists_the_keys_and_gives_the_focus_back(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(2)
    opened(page, gateway.url)
    page.keyboard.press("1")
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").locator("dt").count() >= 15
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    until(page, "document.querySelector('dialog') === null")
    assert (state(page)["selected"], page.evaluate("document.activeElement.dataset.camera")) == ("c1", "c1")


def test_a_tile_leads_the_admin_and_nobody_else_to_the_page_of_its_camera(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(4, source="192.168.1.64")
    opened(page, gateway.url)
    page.hover("[data-camera=c2]")
    link = page.locator("[data-camera=c2] .tile-tools a")
    link.wait_for()
    assert link.get_attribute("href") == "/cameras/c2"
    assert link.get_attribute("aria-label") == "About this camera"
    cameras(4, source=None)
    until(page, "document.querySelector('.tile-tools a').hidden")


def test_addresses_warn_of_the_token(
    gateway: Any, cameras: Callable[..., None], make_stream: Callable[..., Any], page: Page
) -> None:
    cameras(
        1,
        streams=[make_stream("c1"), make_stream("c1.sub")],
        urls={"hls": "/hls/c1/index.m3u8", "hls_sub": "/hls/c1.sub/index.m3u8"},
    )
    opened(page, gateway.url)
    page.locator(".tile").hover()
    page.get_by_role("button", name="Copy address").click()
    assert page.locator("#share-watch").input_value() == f"{gateway.url}/watch/c1"
    assert page.locator(".dialog-warning").is_hidden()
    page.locator("#share-lifetime").select_option("8h")
    page.locator(".dialog-warning").wait_for(state="visible")
    assert "can watch this camera until" in page.locator(".dialog-warning").inner_text()
    assert page.locator("#share-hls").input_value() == f"{gateway.url}/hls/c1/index.m3u8?token=link.8h.main"
    page.locator(".check", has_text="Small picture").click()
    until(page, "document.querySelector('#share-hls').value.endsWith('token=link.8h.sub')")
    assert page.locator("#share-hls").input_value() == f"{gateway.url}/hls/c1.sub/index.m3u8?token=link.8h.sub"
    assert "366d" not in [option.get_attribute("value") for option in page.locator("#share-lifetime option").all()]
    page.locator("#share-lifetime").select_option("")
    page.locator(".dialog-warning").wait_for(state="hidden")
    assert page.locator("#share-hls").input_value() == f"{gateway.url}/hls/c1.sub/index.m3u8"
    until(page, "document.querySelector('.share-code img').naturalWidth > 0")
    page.get_by_role("button", name="Copy: HLS").click()
    until(page, "document.querySelector('#notice').textContent === 'Copied'")


def test_a_kiosk_shows_nothing_for_hands_and_returns_after_logout_and_update(
    gateway: Any, cameras: Callable[..., None], page: Page
) -> None:
    cameras(4)
    opened(page, f"{gateway.url}/?kiosk=1&token=the-viewing-token#layout=2x2")
    assert page.url.endswith("/?kiosk=1#view=all&layout=2x2"), "nobody reads the token from the screen"
    assert page.locator(".bar").is_hidden()
    assert page.evaluate("getComputedStyle(document.querySelector('.tile')).cursor") == "none"
    page.evaluate("window.__sameDocument = true")
    gateway.signed_in = False
    page.locator("#signed-out").wait_for(state="visible", timeout=8000)
    gateway.accepts_token = True
    page.locator("#signed-out").wait_for(state="hidden", timeout=15000)
    assert gateway.signed_in, "by its token"
    assert page.evaluate("window.__sameDocument === true")
    gateway.version = "0.2.0"
    until(page, "window.__sameDocument === undefined && window.__wall?.state.shown.length === 4", 15000)


def test_a_login_that_ends_leads_back_to_the_same_view(gateway: Any, cameras: Callable[..., None], page: Page) -> None:
    cameras(4)
    opened(page, f"{gateway.url}/#layout=2x2&focus=c3")
    gateway.signed_in = False
    page.wait_for_url("**/login?next=%2F%23view%3Dall%26layout%3D2x2%26focus%3Dc3", timeout=8000)


def test_a_phone_has_one_column_and_turns_pages_by_swiping(
    gateway: Any, cameras: Callable[..., None], chromium: Browser
) -> None:
    cameras(8)
    context = chromium.new_context(**PHONE)
    page = context.new_page()
    opened(page, gateway.url)
    assert state(page)["pages"] == 3
    rectangles = page.evaluate(RECTANGLES)
    assert {(left, right) for left, _, right, _ in rectangles} == {(6, 384)}
    session = context.new_cdp_session(page)
    for kind, x in (("touchStart", 330), ("touchMove", 200), ("touchMove", 60), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 400}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    until_state(page, "page", 1)
    page.tap("#more")
    for name in ("Tour", "Keys", "Full screen"):
        assert page.get_by_role("button", name=name).is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_everything_is_chinese_in_a_chinese_browser(gateway: Any, cameras: Callable[..., None], chromium: Browser) -> None:
    cameras(8)
    context = chromium.new_context(locale="zh-CN", viewport={"width": 1280, "height": 720})
    page = context.new_page()
    opened(page, f"{gateway.url}/#layout=2x2&tour=60")
    until(page, "document.querySelector('#tour-menu .pick-text').textContent.endsWith('秒后切换')")
    page.keyboard.press("?")
    page.click("dialog .tool")
    page.click("#view-menu")
    words = page.evaluate(
        """() => [...document.querySelectorAll('.bar, .menu')].map(part => part.innerText
          + [...part.querySelectorAll('[aria-label]')].map(one => one.getAttribute('aria-label')).join(' ')).join(' ')"""
    )
    left = set(re.findall(r"[A-Za-z]{3,}", words)) - {"Warehouse", "North"}
    assert left == set()
    context.close()


def test_the_page_of_one_camera_hands_its_token_on_and_says_when_it_is_over(
    gateway: Any,
    source: Any,
    snapshot_jpeg: bytes,
    make_camera: Callable[..., Any],
    make_stream: Callable[..., Any],
    page: Page,
) -> None:
    gateway.snapshot = snapshot_jpeg
    gateway.cameras = [make_camera("gate", "Gate", streams=[make_stream("gate"), make_stream("gate.sub", audio="aac")])]
    gateway.media = {"gate.sub": source.directory}
    page.goto(f"{gateway.url}/watch/gate.sub?token=abc")
    until(page, "window.__watch?.tile?.state === 'live'", 20000)
    assert page.evaluate("window.__watch.tile.stats().stream") == "gate.sub"
    assert page.locator("video.plain-player").count() == 0
    fetched = [path for path in gateway.paths if path.startswith(("/api/", "/hls/gate.sub/index.m3u8"))]
    assert fetched
    assert all("token=abc" in path for path in fetched)
    page.get_by_role("button", name="Sound on").click()
    assert page.evaluate("window.__watch.tile.muted") is False
    page.get_by_role("button", name="Copy address").click()
    assert page.locator("#share-watch").input_value() == f"{gateway.url}/watch/gate"
    page.keyboard.press("Escape")
    gateway.signed_in = False
    page.locator("#ended").wait_for(state="visible", timeout=8000)
    assert "no longer valid" in page.locator("#ended").inner_text()
    gateway.signed_in = True  # one refusal must not leave a dead picture in somebody's web site
    page.locator("#ended").wait_for(state="hidden", timeout=10000)
    until(page, "window.__watch.tile.diagnostics().state === 'live'", 20000)


def test_the_page_of_one_camera_has_a_plain_player_for_browsers_without_modules(
    gateway: Any, snapshot_jpeg: bytes, make_camera: Callable[..., Any], chromium: Browser
) -> None:
    gateway.snapshot = snapshot_jpeg
    gateway.cameras = [make_camera("gate", "Gate")]
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gateway.url}/watch/gate?token=abc")
    video = page.locator("video.plain-player")
    for name in ("playsinline", "webkit-playsinline", "x5-playsinline", "controls", "muted"):
        assert video.get_attribute(name) is not None, name
    assert video.get_attribute("src") == "/hls/gate/index.m3u8?token=abc"
    context.close()
