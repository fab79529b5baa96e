"""A wrong password, from the configuration to the tile: how often a camera is sent it, and what people read."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.config.model import Camera, RtspDefaults, Secret, SubPolicy
from gateway.errors import WrongCredentials
from gateway.media.state import Status
from gateway.media.timestamps import Timeline
from gateway.sources.account import LOGIN_FIRST_S, LOGIN_JITTER, LOGIN_LARGEST_S, Account
from gateway.sources.camera import CameraSource
from gateway.sources.location import Shared
from gateway.sources.resolver import OnvifFinder
from gateway.sources.rtsp import RtspReader
from gateway.sources.session import PullSettings

WRONG = Secret("not-the-password")


def configured(camera):
    return Camera("gate", "Gate", address=camera.address, username="viewer", password=WRONG, sub_policy=SubPolicy.ALWAYS)


class Quiet:
    """A sink that only keeps the last status."""

    status_seen: Status | None = None

    def begin(self, expected, audio_note):
        raise AssertionError("no session may open")

    def frame(self, frame):
        raise AssertionError("no picture may come")

    def end(self):
        """Nothing began."""

    def status(self, status):
        self.status_seen = status


@pytest.mark.parametrize("auth", ["wsse", "digest"])
def test_main_and_sub_together_cost_one_attempt_per_step_of_the_back_off(camera, auth):
    camera.auth = auth
    now = [0.0]
    account = Account(monotonic=lambda: now[0], rand=lambda: 1.0)
    shared = Shared(configured(camera), OnvifFinder())
    readers = [
        RtspReader(name, location, PullSettings(), Timeline(), Quiet(), account=account)
        for name, location in (("gate", shared.main()), ("gate.sub", shared.sub()))
    ]

    def everybody_tries():
        before = camera.attempts()
        for _ in range(3):
            for reader in readers:
                with pytest.raises(WrongCredentials, match="refused the user name or password"):
                    reader.run_once()
        return camera.attempts() - before

    steps = [LOGIN_FIRST_S, 2 * LOGIN_FIRST_S, LOGIN_LARGEST_S, LOGIN_LARGEST_S]
    for step_s in steps:
        assert everybody_tries() == 1
        now[0] += step_s * (1 + LOGIN_JITTER) - 1
        assert everybody_tries() == 0, "one second before the step ends"
        now[0] += 1
    assert everybody_tries() == 1


def test_reason_is_on_the_tile_and_names_no_password(camera, caplog):
    async def main():
        finder = OnvifFinder()
        source = CameraSource(configured(camera), RtspDefaults(), finder, asyncio.get_running_loop())
        source.start()
        try:
            async with asyncio.timeout(10):
                while {stream.status.code for stream in source.streams} != {"wrong-credentials"}:
                    await asyncio.sleep(0.01)
            return [stream.status for stream in source.streams]
        finally:
            for thread in source.stop():
                await asyncio.to_thread(thread.join, 5)
            finder.close()

    statuses = asyncio.run(main())
    assert camera.attempts() == 1
    for status in statuses:
        assert status.reason == f"{camera.address}: the camera refused the user name or password (ONVIF)"
    assert "not-the-password" not in caplog.text + "".join(str(dataclasses.asdict(status)) for status in statuses)
