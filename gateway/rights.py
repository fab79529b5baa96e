"""Who may play and who may publish which stream.

The one place that decides for protocols whose clients show who they are in the address (RTMP): a question holds the client,
what it shows, the action and the stream; the answer is yes or no. Playing needs the viewing token or a login. Publishing
needs the key of that camera, or the admin's login: the viewing token is in every address that is passed around.

Event loop only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.http.access import ADMIN, Access, Right
from gateway.rtmp.connection import Action, Credentials


class KeyHolder(Protocol):
    """A camera that takes a publisher."""

    def admits(self, params: Mapping[str, str]) -> bool:
        """The query parameters hold its key."""


class StreamRights:
    """The authoriser of the RTMP server."""

    def __init__(self, access: Access, key_holder: Callable[[str], KeyHolder | None]) -> None:
        """`key_holder` finds the camera that takes a publisher by its id."""
        self._access = access
        self._key_holder = key_holder

    def check(self, asked: Credentials) -> bool | Awaitable[bool]:
        """Decide; at once where no password has to be looked at."""
        if asked.action is Action.PLAY:
            return self._access.check_params(asked.client, asked.params)
        holder = self._key_holder(asked.stream)
        if holder is not None and holder.admits(asked.params):
            return True
        # Only a login that claims to be the admin's costs a password check: "user" beside a publisher's key is anything.
        if asked.params.get("user") == ADMIN:
            return self._access.check_params(asked.client, asked.params, Right.ADMIN)
        return False
