"""Who may play and publish over RTMP, by what stands in the address."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from werkzeug.security import generate_password_hash

from gateway.config.model import Secret
from gateway.http.access import Access
from gateway.rights import StreamRights
from gateway.rtmp.permission import Action, Credentials
from gateway.sources.publish import PublishSource


@pytest.fixture
def access(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "admin.hash").write_text(generate_password_hash("right", method="scrypt:1024:8:1"))
    access, _ = Access.open(tmp_path)
    yield access
    access.close()


def ask(access: Access, action: Action, stream: str, **params: str) -> bool:
    rights = StreamRights(access, {"phone": PublishSource("phone", Secret("sesame"))}.get)

    async def decide() -> bool:
        answer = rights.check(Credentials("10.0.0.7", params, stream, action))
        return bool(await answer if inspect.isawaitable(answer) else answer)

    return asyncio.run(decide())


def test_playing_takes_the_token_or_a_login(access):
    assert ask(access, Action.PLAY, "yard", token=access.viewing_token)
    assert ask(access, Action.PLAY, "yard", user="admin", **{"pass": "right"})
    assert not ask(access, Action.PLAY, "yard")
    assert not ask(access, Action.PLAY, "yard", user="admin", **{"pass": "wrong"})
    assert not ask(access, Action.PLAY, "phone", key="sesame")


def test_publishing_takes_the_cameras_key_or_the_admin_and_never_the_viewing_token(access):
    assert ask(access, Action.PUBLISH, "phone", key="sesame")
    assert ask(access, Action.PUBLISH, "phone", user="x", **{"pass": "sesame"})
    assert ask(access, Action.PUBLISH, "phone", user="admin", **{"pass": "right"})
    assert not ask(access, Action.PUBLISH, "phone", user="admin", **{"pass": "wrong"})
    assert not ask(access, Action.PUBLISH, "phone", user="guest", **{"pass": "right"})
    assert not ask(access, Action.PUBLISH, "phone", token=access.viewing_token)
    assert not ask(access, Action.PUBLISH, "phone")
    assert not ask(access, Action.PUBLISH, "yard", key="sesame")


def test_a_key_is_judged_at_once_because_encoders_do_not_wait(access):
    rights = StreamRights(access, {"phone": PublishSource("phone", Secret("sesame"))}.get)
    assert rights.check(Credentials("10.0.0.7", {"key": "sesame"}, "phone", Action.PUBLISH)) is True
