"""The JSON of `access_api` as types; see `shapes`. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # as in shapes

from gateway.http.access import Right
from gateway.web.shapes import CameraId, UnixTime, names_of, shape

RightName = Annotated[str, names_of(Right)]


@shape
class Me(TypedDict):
    """Who the caller is, and what he may."""

    user: str
    """A name of the configuration, or what was shown instead: `viewer`, `token:NAME`, `link:USER`, `anonymous`."""
    rights: list[RightName]
    cameras: list[CameraId] | None
    """Null: all."""
    links: bool
    """He may make signed addresses."""


@shape
class LinkQuery(TypedDict, total=False):
    """Of a signed address."""

    lifetime: str
    """A duration with its unit, such as `8h`, which it is unless given."""
    stream: Literal["main", "sub"]


@shape
class Link(TypedDict):
    """A signed address."""

    stream: str
    expires: UnixTime
    token: str
    urls: dict[str, str]
    """By kind of player."""


@shape
class ViewingTokenNow(TypedDict):
    """What lets a screen without a keyboard see everything."""

    token: str | None
    """Null while it is revoked."""


@shape
class NewToken(TypedDict):
    """A token to be made."""

    name: str
    scopes: list[RightName]
    cameras: NotRequired[list[str] | None]
    """Of these only; null or left out: of all."""
    lifetime: NotRequired[str | None]
    """A duration such as `30d`; null or left out: for ever."""


@shape
class Token(TypedDict):
    """An API token, without what it is."""

    id: str
    name: str
    scopes: list[RightName]
    cameras: list[str] | None
    """Null: all."""
    created: UnixTime
    expires: UnixTime | None
    """Null: never."""
    created_by: str


@shape
class TokenMade(Token):
    """A new API token."""

    token: str
    """The token itself, said this once."""


@shape
class TokenList(TypedDict):
    """All API tokens."""

    now: UnixTime
    tokens: list[Token]


@shape
class AuditQuery(TypedDict, total=False):
    """Of the audit log."""

    limit: Annotated[int, Field(ge=1, le=1000)]
    """Entries at most; 100 unless given."""


@shape
class AuditEntry(TypedDict):
    """Something that was done."""

    at: UnixTime
    event: str
    user: str
    address: str
    camera: str
    """Empty for what concerns none."""
    ok: bool
    detail: dict[str, Any]


@shape
class AuditEntries(TypedDict):
    """The newest first."""

    now: UnixTime
    entries: list[AuditEntry]
