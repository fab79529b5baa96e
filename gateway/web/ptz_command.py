"""What a client asks of a camera's motors, read from JSON. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.onvif.ptz import MAX_NAME_CHARS, STILL, Vector

ACTIONS = ("move", "stop", "absolute", "relative", "preset", "set_preset", "remove_preset", "home", "set_home")
MAX_TOKEN_CHARS = 128


@dataclass(frozen=True, slots=True)
class PtzCommand:
    """One command. What an action does not use is empty."""

    action: str
    """One of `ACTIONS`."""
    vector: Vector = STILL
    zoom: bool = False
    """A zoom was given: an absolute move without one leaves it as it is."""
    preset: str = ""
    name: str = ""


def parse_command(body: Any) -> PtzCommand:
    """Read a command. Raises ValueError with a sentence for the caller."""
    if not isinstance(body, dict):
        raise ValueError("The body must be a JSON object.")  # noqa: TRY004  # the caller catches one kind
    action = body.get("action")
    if action not in ACTIONS:
        raise ValueError(f"action must be one of {', '.join(ACTIONS)}.")
    allowed = {"action"}
    if action in ("move", "absolute", "relative"):
        allowed |= {"pan", "tilt", "zoom"}
    elif action in ("preset", "remove_preset"):
        allowed |= {"preset"}
    elif action == "set_preset":
        allowed |= {"preset", "name"}
    unknown = sorted(str(key) for key in body.keys() - allowed)
    if unknown:
        raise ValueError(f"{action} takes no {', '.join(unknown)}.")
    preset = _text(body, "preset", MAX_TOKEN_CHARS)
    name = _text(body, "name", MAX_NAME_CHARS)
    if action in ("preset", "remove_preset") and not preset:
        raise ValueError("preset must be the token of a preset.")
    if action == "set_preset" and not (preset or name):
        raise ValueError("A new preset needs a name.")
    vector = Vector(*(_number(body, axis) for axis in ("pan", "tilt", "zoom")))
    return PtzCommand(action, vector, "zoom" in body, preset, name)


def _number(body: dict[str, Any], key: str) -> float:
    value = body.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1 <= value <= 1:
        raise ValueError(f"{key} must be a number from -1 to 1.")
    return float(value)


def _text(body: dict[str, Any], key: str, most: int) -> str:
    value = body.get(key, "")
    if not isinstance(value, str) or len(value) > most or not value.isprintable():
        raise ValueError(f"{key} must be a text of at most {most} characters.")
    return value.strip()
