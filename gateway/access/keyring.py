"""Who stands behind a name, a session, a token or a signed address, and what it opens at this moment.

Every answer names a subject (`admin`, a user of the configuration, `viewer` for the viewing token, `token:NAME`,
`link:USER`, `play:USER`) and its mark, a keyed digest of what the subject rests on: password, role, the token itself. A
session or a running player keeps the mark; as soon as the subject's mark is another one, it is over.

Any thread; changes happen under `gateway.http.access`'s lock or replace one reference.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from gateway.access import links, tokens
from gateway.access.grants import EVERYTHING, Account, Grant, Right
from gateway.access.links import LinkSealer, parse_link
from gateway.access.state_file import MAX_TOKENS, AccessState, StateFile
from gateway.access.tokens import ApiToken, TokenWish
from gateway.http.secretfiles import SecretFiles
from gateway.http.sessions import Signer

ADMIN = "admin"
VIEWER = "viewer"
"""Whoever shows the viewing token."""
_TOKEN, _LINK, _PLAY = "token:", "link:", "play:"
_VIEWING = frozenset({Right.VIEW})


class Keyring:
    """All that proves something. Make it from opened `SecretFiles`."""

    def __init__(self, files: SecretFiles, *, wall: Callable[[], float] = time.time) -> None:
        """Raises OSError."""
        self.files = files
        self.signer = Signer(files.session_key)
        self._state = StateFile(files.data_dir)
        self._sealer = LinkSealer(self.signer.derived("links"))
        self._wall = wall
        self._accounts: Mapping[str, Account] = {}
        self._viewing: tuple[str | None, str] = ("?", "")
        self._grants: dict[str, Grant] = {}
        """By subject, as long as nothing changes that they rest on: a digest for every part of every stream is too dear."""
        self._basis: tuple[object, ...] = ()
        self._noticed = False
        """A change was taken up between two calls of `refresh`."""

    @classmethod
    def of(cls, data_dir: Path) -> Keyring:
        """For commands that run beside the gateway. Raises OSError."""
        return cls(SecretFiles(data_dir))

    @property
    def accounts(self) -> Mapping[str, Account]:
        """Users of the configuration."""
        return self._accounts

    def configure(self, accounts: Mapping[str, Account]) -> None:
        """Take up the users of a configuration."""
        self._accounts = accounts

    def refresh(self) -> bool:
        """Take up what other processes wrote. True if anything changed since the last call."""
        passwords, state = self.files.refresh(), self._state.refresh()
        noticed, self._noticed = self._noticed, False
        return passwords or state or noticed

    # --- subjects -----------------------------------------------------------------------------------------------------------

    def hash_of(self, user: str) -> str | None:
        """What the user's password is checked against, None if there is no such user."""
        if user == ADMIN:
            return self.files.password_hash
        account = self._accounts.get(user)
        return account.password_hash if account is not None else None

    def grant_of(self, subject: str) -> Grant | None:
        """What a subject may now, None if it is no more. The same object until that changes."""
        hashed, state, accounts = basis = self.files.password_hash, self._state.state, self._accounts
        known = self._basis
        if not known or hashed is not known[0] or state is not known[1] or accounts is not known[2]:
            self._grants, self._basis = {}, basis
        grants = self._grants
        grant = grants.get(subject)
        if grant is None:
            grant = self._find_grant(subject)
            if grant is not None:
                grants[subject] = grant
        if grant is not None and grant.until != math.inf and self._wall() >= grant.until:
            return None
        return grant

    def _find_grant(self, subject: str) -> Grant | None:
        mark = self.mark_of(subject)
        if mark is None:
            return None
        if subject == ADMIN:
            grant = Grant(ADMIN, EVERYTHING)
        elif subject == VIEWER:
            grant = Grant(VIEWER, _VIEWING)
        elif subject.startswith((_LINK, _PLAY)):
            maker = self.grant_of(subject.partition(":")[2])
            grant = Grant(subject, _VIEWING, maker.cameras if maker is not None else frozenset())
        elif subject.startswith(_TOKEN):
            token = self._token_named(subject)
            if token is None:
                return None
            grant = token.grant()
        else:
            account = self._accounts.get(subject)
            if account is None:
                return None
            grant = account.grant()
        return dataclasses.replace(grant, mark=mark)

    def mark_of(self, subject: str) -> str | None:
        """The subject's mark now, None if there is no such subject."""
        if subject == VIEWER:
            return self.signer.mark("viewing", self.viewing_token) if self.viewing_token else None
        if subject.startswith(_TOKEN):
            token = self._token_named(subject)
            return token.digest[:24] if token is not None else None
        linked = subject.startswith(_LINK)
        name = subject.removeprefix(_LINK if linked else _PLAY)
        hashed = self.hash_of(name)
        if hashed is None:
            return None
        login = self._state.state.login_of(name)
        if linked:
            return self.signer.mark("link", login)
        account = self._accounts.get(name)
        return self.signer.mark("password", hashed, login, account.role.value if account is not None else "")

    # --- what is shown ------------------------------------------------------------------------------------------------------

    @property
    def viewing_token(self) -> str:
        """The viewing token; empty while it is revoked."""
        number, text = self._viewing
        current = self._state.state.viewing
        if number != current:
            text = "" if current is None else self.signer.viewing_token(current)
            self._viewing = (current, text)
        return text

    def grant_of_token(self, text: str) -> Grant | None:
        """What a token of any kind opens; None if it is none of ours, or is no longer valid. Microseconds."""
        if text.startswith(links.PREFIX):
            return self._grant_of_link(text)
        if text.startswith(tokens.PREFIX):
            found = self._token_of_id(tokens.id_in(text))
            if found is None or not tokens.matches(found, text):
                return None
            if found.expires is not None and self._wall() >= found.expires:
                return None
            return self.grant_of(found.user)
        if self.signer.same(self.viewing_token, text):
            return self.grant_of(VIEWER)
        return None

    def _grant_of_link(self, text: str) -> Grant | None:
        link = parse_link(text)
        if link is None:
            return None
        subject = (_LINK if link.expires else _PLAY) + link.user
        mark = self.mark_of(subject)
        if mark is None or not self._sealer.good(link, mark):
            return None
        if link.expires and self._wall() >= link.expires:
            return None
        grant = self.grant_of(subject)
        if grant is None:
            return None
        until = float(link.expires) if link.expires else grant.until
        return dataclasses.replace(grant, stream=link.stream, until=until)

    def make_link(self, stream: str, user: str, expires: int) -> str:
        """A signed token for one stream. `expires` 0: as long as the user's password. ValueError without such a user."""
        mark = self.mark_of((_LINK if expires else _PLAY) + user)
        if mark is None or user == VIEWER:
            raise ValueError("only users make links")
        return self._sealer.make(stream, user, expires, mark)

    # --- changes: worker threads --------------------------------------------------------------------------------------------

    @property
    def tokens(self) -> tuple[ApiToken, ...]:
        """All API tokens, the oldest first."""
        return self._state.state.tokens

    def create_token(self, wish: TokenWish, created_by: str) -> tuple[ApiToken, str]:
        """A new API token and its text, which nobody will know again. Raises ValueError, OSError."""
        made: list[tuple[ApiToken, str]] = []

        def add(state: AccessState) -> AccessState:
            alive = tuple(token for token in state.tokens if token.expires is None or token.expires > self._wall())
            if len(alive) >= MAX_TOKENS:
                raise ValueError(f"there are {MAX_TOKENS} tokens already: revoke some")
            made.append(tokens.new_token(wish, created_by, self._wall(), alive))
            return dataclasses.replace(state, tokens=(*alive, made[-1][0]))

        self._state.change(add)
        return made[-1]

    def revoke_token(self, which: str) -> ApiToken | None:
        """Take back the token of this id or name. None if there is none. Raises OSError."""
        found = next((token for token in self.tokens if which in (token.id, token.name)), None)
        if found is None:
            return None
        gone = found.id

        def remove(state: AccessState) -> AccessState:
            return dataclasses.replace(state, tokens=tuple(token for token in state.tokens if token.id != gone))

        self._state.change(remove)
        return found

    def renew_viewing_token(self) -> str:
        """Another viewing token; addresses with the old one are dead. Raises OSError."""
        self._state.change(lambda state: dataclasses.replace(state, viewing=secrets.token_hex(8)))
        return self.viewing_token

    def revoke_viewing_token(self) -> None:
        """No viewing token at all, until `renew_viewing_token`. Raises OSError."""
        self._state.change(lambda state: dataclasses.replace(state, viewing=None))

    def end_logins(self, user: str) -> None:
        """All sessions and links of a user end. Raises OSError."""
        mark = secrets.token_hex(8)

        def note(state: AccessState) -> AccessState:
            kept = {name: one for name, one in state.logins.items() if name == ADMIN or name in self._accounts}
            return dataclasses.replace(state, logins={**kept, user: mark})

        self._state.change(note)

    def _token_of_id(self, token_id: str) -> ApiToken | None:
        """One that is not known may have been made just now: a script uses it in the next line. Costs strangers a `stat`."""
        for again in (False, True):
            found = next((token for token in self._state.state.tokens if token.id == token_id), None)
            if found is not None or not token_id or again:
                return found
            if not self._state.refresh():
                return None
            self._noticed = True
        return None

    def _token_named(self, subject: str) -> ApiToken | None:
        name = subject.removeprefix(_TOKEN)
        found = next((token for token in self._state.state.tokens if token.name == name), None)
        if found is None or (found.expires is not None and self._wall() >= found.expires):
            return None
        return found
