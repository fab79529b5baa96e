"""Contrast of the texts, computed from the style sheets that are served (WCAG 2.1, 1.4.3 and 1.4.11)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = Path(__file__).resolve().parents[2] / "web" / "static" / "css"
TEXT, SIGN = 4.5, 3.0
WHITE = (255.0, 255.0, 255.0)
Colour = tuple[float, float, float]


def sheet(name: str) -> str:
    return re.sub(r"/\*.*?\*/", "", (CSS / name).read_text(encoding="utf-8"), flags=re.DOTALL)


VARIABLES = dict(re.findall(r"--([\w-]+):\s*(#[0-9a-f]{3,6})", sheet("base.css")))


def rules() -> dict[str, dict[str, str]]:
    """Declarations of every selector, of all sheets together; later ones win, media queries included."""
    found: dict[str, dict[str, str]] = {}
    for name in sorted(path.name for path in CSS.glob("*.css")):
        for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet(name)):
            declared = dict(re.findall(r"([\w-]+):\s*([^;]+)", body))
            for selector in selectors.split(","):
                found.setdefault(" ".join(selector.split()), {}).update(declared)
    return found


RULES = rules()


def colour(text: str) -> tuple[Colour, float]:
    """Channels 0 to 255 and opacity of a value of `color`, `background` or `border-color`."""
    for name in re.findall(r"var\(--([\w-]+)", text):
        if name in VARIABLES:
            return colour(VARIABLES[name])
    if match := re.search(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", text):
        digits = match[1] if len(match[1]) == 6 else "".join(2 * digit for digit in match[1])
        return (int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)), 1.0
    if match := re.search(r"rgb\((\d+) (\d+) (\d+) / (\d+)%\)", text):
        return (float(match[1]), float(match[2]), float(match[3])), int(match[4]) / 100
    raise AssertionError(f"no colour in {text!r}")


def over(top: tuple[Colour, float], below: Colour) -> Colour:
    (red, green, blue), opacity = top
    mixed = [opacity * one + (1 - opacity) * other for one, other in zip((red, green, blue), below, strict=True)]
    return mixed[0], mixed[1], mixed[2]


def luminance(channels: Colour) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in channels)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def variable(name: str) -> Colour:
    return colour(VARIABLES[name])[0]


def declared(selector: str, *names: str) -> str:
    for name in names:
        if name in RULES[selector]:
            return RULES[selector][name]
    raise AssertionError(f"{selector} declares none of {names}")


@pytest.mark.parametrize("ground", ["ground", "surface", "raised"])
@pytest.mark.parametrize("text", ["text", "muted", "live", "late", "bad", "info", "idle", "focus"])
def test_every_text_colour_is_read_on_every_ground(text: str, ground: str) -> None:
    assert contrast(variable(text), variable(ground)) >= TEXT


@pytest.mark.parametrize("state", ["live", "late", "bad", "info", "idle", "text"])
def test_words_on_a_picture_are_read_even_on_a_white_one(state: str) -> None:
    """A tile's name and state stand on the lower, darker half of its gradient."""
    stops = re.findall(r"rgb\([^)]*\)", declared(".tile-bottom", "background"))
    assert contrast(variable(state), over(colour(stops[1]), WHITE)) >= TEXT


@pytest.mark.parametrize(
    ("panel", "text"),
    [
        (".tile-detail", ".tile-detail"), (".tile-tools", ".tile-tools .tool"), (".tile-stats", ".tile-stats"),
        (".tile-stats", ".tile-stats dt"), (".tile-sound", ".tile-sound"), (".watch-tools", ".watch-tools .tool"),
    ],
)  # fmt: skip
def test_panels_over_a_white_picture_are_read(panel: str, text: str) -> None:
    ground = over(colour(declared(panel, "background")), WHITE)
    assert contrast(colour(declared(text, "color"))[0], ground) >= TEXT


@pytest.mark.parametrize(
    ("selector", "ground"),
    [
        (".menu-item", "surface"), (".keys dd", "surface"), ("kbd", "raised"), (".lost", "ground"), (".empty pre", "surface"),
        (".hint a", "surface"), (".foot", "ground"), (".drag-ghost", "raised"), (".plain.danger", "surface"),
    ],
)  # fmt: skip
def test_texts_with_colours_of_their_own_are_read(selector: str, ground: str) -> None:
    text = RULES[selector].get("color", "var(--text)")
    assert contrast(colour(text)[0], variable(ground)) >= TEXT


@pytest.mark.parametrize("selector", [".alert", ".dialog-warning", ".signed-out", ".notice"])
def test_warnings_are_read(selector: str) -> None:
    ground = over(colour(declared(selector, "background")), variable("surface"))
    assert contrast(colour(RULES[selector].get("color", "var(--text)"))[0], ground) >= TEXT


def test_a_dark_word_on_a_light_button_is_read() -> None:
    for selector in (".primary", '.card button[type="submit"]'):
        assert contrast(colour(declared(selector, "color"))[0], colour(declared(selector, "background"))[0]) >= TEXT


@pytest.mark.parametrize("selector", [".share-field", ".check-mark", '.card input:not([type="hidden"])'])
def test_fields_are_found(selector: str) -> None:
    edge = colour(declared(selector, "border", "border-color"))[0]
    assert contrast(edge, variable("surface")) >= SIGN


@pytest.mark.parametrize("ground", ["ground", "surface"])
def test_the_focus_ring_is_seen(ground: str) -> None:
    assert contrast(variable("focus"), variable(ground)) >= SIGN


def test_the_computation_knows_the_reference_values() -> None:
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21)
    assert contrast(colour("#767676")[0], WHITE) == pytest.approx(4.54, abs=0.01)
