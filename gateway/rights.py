"""Who may play and who may publish which stream.

The one place that decides for protocols whose clients show who they are in the address (RTMP): a question holds the client,
what it shows, the action and the stream; the answer is a permit or no. Playing needs a token, a signed link or a login that
sees the camera. Publishing needs the key of that camera, or an admin's login or token: the viewing token is in every address
that is passed around.

Event loop only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from gateway.access.grants import Grant, Right
from gateway.http.access import Access, Decision
from gateway.rtmp.permission import Action, Answer, Credentials

NO_LONGER = "this address is no longer valid"


class KeyHolder(Protocol):
    """A camera that takes a publisher."""

    def admits(self, params: Mapping[str, str]) -> bool:
        """The query parameters hold its key."""


class _Permit:
    """Somebody was let in, for as long as he would be let in again."""

    def __init__(self, access: Access, grant: Grant, right: Right, stream: str) -> None:
        self._access, self._grant, self._right, self._stream = access, grant, right, stream

    def withdrawn(self) -> str:
        """See `gateway.rtmp.connection.Permit`."""
        return "" if self._access.still(self._grant, self._right, stream=self._stream) else NO_LONGER


class StreamRights:
    """The authoriser of the RTMP server."""

    def __init__(self, access: Access, key_holder: Callable[[str], KeyHolder | None]) -> None:
        """`key_holder` finds the camera that takes a publisher by its id."""
        self._access = access
        self._key_holder = key_holder

    def check(self, asked: Credentials) -> Answer | Awaitable[Answer]:
        """Decide; at once where no password has to be looked at."""
        if asked.action is Action.PLAY:
            return self._play(asked)
        holder = self._key_holder(asked.stream)
        if holder is not None and holder.admits(asked.params):
            self._note(asked, "key")
            return True
        token = asked.params.get("token", "")
        if token and (decision := self._access.judge_token(token, Right.ADMIN, stream=asked.stream)).allowed:
            return self._permit(asked, decision)
        # Only a login that claims to be an admin's costs a password check: "user" beside a publisher's key is anything.
        grant = self._access.keyring.grant_of(asked.params.get("user", ""))
        return self._publish(asked) if grant is not None and Right.ADMIN in grant.rights else False

    async def _play(self, asked: Credentials) -> Answer:
        return self._permit(asked, await self._access.judge_params(asked.client, asked.params, stream=asked.stream))

    async def _publish(self, asked: Credentials) -> Answer:
        decision = await self._access.judge_params(asked.client, asked.params, Right.ADMIN, stream=asked.stream)
        return self._permit(asked, decision)

    def _permit(self, asked: Credentials, decision: Decision) -> Answer:
        if not decision.allowed or decision.grant is None:
            return False
        self._note(asked, decision.user or "")
        right = Right.VIEW if asked.action is Action.PLAY else Right.ADMIN
        return _Permit(self._access, decision.grant, right, asked.stream)

    def _note(self, asked: Credentials, user: str) -> None:
        if asked.action is Action.PLAY:
            self._access.note_watching(user, asked.client, asked.stream, "rtmp")
        else:
            self._access.audit.going_on("publish", user, asked.client, camera=asked.stream, way="rtmp")
