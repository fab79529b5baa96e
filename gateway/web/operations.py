"""What a route of the API takes and answers, declared where the route is. Import time only.

    @api.get("/cameras/<camera_id>")
    @operation(Camera, refuses=(404,))
    @needs(Right.VIEW, camera="camera_id")
    def camera(camera_id: str) -> Response:
        \"\"\"One camera.\"\"\"

Whom it answers, `gateway.web.rights` says, and the document takes it from there. The docstring's first line is its summary, the
rest its description. A route below `/api/v1` without a declaration fails `openapi.document`, and a test with it. Types are
those of `shapes`, or any that pydantic reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

View = TypeVar("View", bound=Callable[..., Any])

_ATTRIBUTE = "__api_operation__"


@dataclass(frozen=True, slots=True)
class Media:
    """An answer that is not JSON, by its type."""

    type: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address."""

    answers: Mapping[int, Any]
    """By status: a type for JSON, `Media` for anything else, None for no content."""
    query: Any = None
    """A TypedDict of the parameters in the address."""
    body: Any = None
    """The JSON that is sent."""
    forms: bool = False
    """The same fields may come as an HTML form."""
    refuses: frozenset[int] = frozenset()
    """Statuses with an `Error`, beyond those that every operation may answer with."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the answers: name and what it says."""
    paths: Mapping[str, str] = field(default_factory=dict)
    """Parts of the path beyond `camera_id`: name and what it is."""
    tag: str = "cameras"


def operation(
    answer: Any = None,
    *,
    answers: Mapping[int, Any] | None = None,
    query: Any = None,
    body: Any = None,
    forms: bool = False,
    refuses: tuple[int, ...] = (),
    headers: Mapping[str, str] | None = None,
    paths: Mapping[str, str] | None = None,
    tag: str = "cameras",
) -> Callable[[View], View]:
    """Declare a route. `answer` is what comes with 200; `answers` stands for it where there are other statuses."""
    declared = Operation(
        answers if answers is not None else {200: answer},
        query,
        body,
        forms,
        frozenset(refuses),
        headers or {},
        paths or {},
        tag,
    )

    def declare(view: View) -> View:
        setattr(view, _ATTRIBUTE, declared)
        return view

    return declare


def operation_of(view: Callable[..., Any]) -> Operation | None:
    """The declaration of a route; None if it has none."""
    return getattr(view, _ATTRIBUTE, None)
