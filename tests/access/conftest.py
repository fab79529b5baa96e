"""People, cameras and everything that can be shown for them, before a gateway without a network."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from gateway.access.grants import Right
from gateway.access.tokens import TokenWish
from gateway.config.model import Camera, Config, Discovery, HostPort, Listen, Onvif, Publish, Role, Secret, User
from gateway.http.access import Access
from gateway.service import Service

ANY = HostPort("127.0.0.1", 0)
CHEAP = generate_password_hash("right", method="scrypt:1024:8:1")


@dataclass
class Caller:
    """Somebody, with what he shows in each protocol; `sees` None: all cameras."""

    rights: frozenset[Right]
    sees: frozenset[str] | None = frozenset()
    only: str = ""
    """A link: this stream."""
    named: bool = False
    """Has a name, and so may log out everywhere and make links."""
    headers: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)

    def may(self, right: Right | None, stream: str = "") -> bool:
        """What the matrix expects."""
        if right is None:
            return True
        seen = not stream or self.sees is None or stream.partition(".")[0] in self.sees
        return right in self.rights and seen and (not stream or self.only in ("", stream))


def basic(user: str, password: str = "right") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def users() -> tuple[User, ...]:
    secret = Secret(CHEAP)
    return (
        User("anna", secret, Role.VIEWER, cameras=("yard",)),
        User("bert", secret, Role.VIEWER, groups=("Street",)),
        User("olga", secret, Role.OPERATOR),
        User("boss", secret, Role.ADMIN),
    )


@pytest.fixture
def config(tmp_path: Path) -> Config:
    cameras = (
        Camera("yard", "Yard", publish=Publish(Secret("yard-key"))),
        Camera("gate", "Gate", publish=Publish(Secret("gate-key")), group="Street"),
    )
    return Config(
        listen=Listen(None, ANY, ANY, rtsp=ANY), data_dir=tmp_path / "data", discovery=Discovery(enabled=False),
        onvif=Onvif(True, "nvr", Secret("nvr-password"), ANY), cameras=cameras, users=users(),
    )  # fmt: skip


@asynccontextmanager
async def serving(config: Config) -> AsyncIterator[tuple[Service, Access]]:
    """A gateway that runs, and its authoriser."""
    secrets = config.data_dir / "secrets"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "admin.hash").write_text(CHEAP)
    access, _ = Access.open(config.data_dir)
    service = Service(config, access)
    await service.start()
    try:
        yield service, access
    finally:
        async with asyncio.timeout(8):
            assert await service.stop()


VIEW, OPERATE = frozenset({Right.VIEW}), frozenset({Right.VIEW, Right.OPERATE})


def callers(access: Access) -> dict[str, Caller]:
    """Everybody who may come."""
    keyring, now = access.keyring, time.time()

    def token(name: str, *scopes: Right, cameras: tuple[str, ...] | None = None) -> str:
        return keyring.create_token(TokenWish(name, scopes, cameras), "admin")[1]

    def shows(text: str, **caller: object) -> Caller:
        return Caller(params={"token": text}, **caller)  # type: ignore[arg-type]

    revoked = token("revoked", Right.ADMIN)
    keyring.revoke_token("revoked")
    expired = keyring.create_token(TokenWish("expired", (Right.ADMIN,), expires=now - 1), "admin")[1]
    viewer = token("viewer", Right.VIEW, cameras=("yard",))
    link = keyring.make_link("yard", "admin", int(now) + 600)
    everything, nothing, yard = frozenset(Right), frozenset[Right](), frozenset({"yard"})
    cookie = access.session_cookie("http")
    return {
        "nobody": Caller(nothing),
        "wrong password": Caller(nothing, headers=basic("olga", "wrong"), params={"user": "olga", "pass": "wrong"}),
        "viewer of another camera": Caller(VIEW, frozenset({"gate"}), named=True, headers=basic("bert"),
                                           params={"user": "bert", "pass": "right"}),
        "viewer": Caller(VIEW, yard, named=True, headers=basic("anna"), params={"user": "anna", "pass": "right"}),
        "viewer's session": Caller(VIEW, yard, named=True, headers={"cookie": f"{cookie}={access.new_session('anna')}"}),
        "operator": Caller(OPERATE, None, named=True, headers=basic("olga"), params={"user": "olga", "pass": "right"}),
        "admin": Caller(everything, None, named=True, headers=basic("admin"), params={"user": "admin", "pass": "right"}),
        "admin of the file": Caller(everything, None, named=True, headers=basic("boss"),
                                    params={"user": "boss", "pass": "right"}),
        "forged session": Caller(nothing, headers={"cookie": f"{cookie}={access.new_session('admin')[:-2]}xx"}),
        "viewing token": shows(access.viewing_token, rights=VIEW, sees=None),
        "viewer's token": shows(viewer, rights=VIEW, sees=yard),
        "bearer": Caller(VIEW, yard, headers={"authorization": f"Bearer {viewer}"}),
        "operator's token": shows(token("operator", Right.OPERATE), rights=OPERATE, sees=None),
        "admin's token": shows(token("admin", Right.ADMIN), rights=everything, sees=None),
        "metrics token": shows(token("metrics", Right.METRICS), rights=frozenset({Right.METRICS}), sees=None),
        "forged token": shows(viewer[:-2] + ("AA" if viewer[-2:] != "AA" else "BB"), rights=nothing),
        "expired token": shows(expired, rights=nothing),
        "revoked token": shows(revoked, rights=nothing),
        "link": shows(link, rights=VIEW, sees=yard, only="yard"),
        "link for another stream": shows(keyring.make_link("gate", "admin", int(now) + 600), rights=VIEW,
                                         sees=frozenset({"gate"}), only="gate"),
        "expired link": shows(keyring.make_link("yard", "admin", int(now) - 1), rights=nothing),
        "link with another stream written in": shows(link.replace(".yard.", ".gate."), rights=nothing),
        "link prolonged": shows(f"link.{int(now) + 9999:x}.{link.split('.', 2)[2]}", rights=nothing),
        "link of a user for what he does not see": shows(keyring.make_link("gate", "anna", int(now) + 600),
                                                         rights=VIEW, sees=frozenset(), only="gate"),
    }  # fmt: skip
