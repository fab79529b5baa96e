"""A whole gateway with a simulated camera: what is asked over HTTP is seen in the picture, what happens is told by the API."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import urllib.error
import urllib.request
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from werkzeug.security import generate_password_hash

from gateway.config.model import Config, Discovery, HostPort, Listen
from gateway.http.access import Access
from gateway.media import snapshot
from gateway.service import Service
from gateway.simulator.picture import AIM_LUMA
from gateway.web import ptz_api

ANY = HostPort("127.0.0.1", 0)
WITHIN_S = 20.0


class Gateway:
    """A running service and a client of it."""

    def __init__(self, service):
        self.service = service

    async def ask(self, path, body=None):
        """GET, or POST `body` as JSON; status and answer."""

        def call():
            request = urllib.request.Request(f"http://127.0.0.1:{self.service.port('http')}/api/v1{path}")
            request.add_header("Authorization", "Basic " + base64.b64encode(b"admin:right").decode())
            if body is not None:
                request.data = json.dumps(body).encode()
                request.add_header("Content-Type", "application/json")
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        return await asyncio.to_thread(call)

    async def camera(self):
        return (await self.ask("/cameras/yard"))[1]

    def mark(self):
        """Where the white square is in the last keyframe: x, y; None while there is none."""
        stream = self.service._streams.get("yard")
        if stream is None or stream.last_keyframe is None:
            return None
        picture = snapshot.decode(stream.last_keyframe)
        plane, unit = picture.planes[0], picture.height // 18
        luma, stride = bytes(plane), plane.line_size
        found = [
            (x, y) for y in range(unit * 7) for x in range(unit * 13, picture.width) if luma[y * stride + x] >= AIM_LUMA - 6
        ]
        return (sum(x for x, _ in found) / len(found), sum(y for _, y in found) / len(found)) if found else None

    async def next_mark(self, after):
        """Where the square is in a keyframe that was painted later than `after`."""
        stream = self.service._streams["yard"]
        await eventually(lambda: asyncio.sleep(0, stream.last_keyframe.wall > after + 0.2))
        return self.mark()


async def eventually(condition, within_s=WITHIN_S):
    """Wait until a coroutine function gives something true; what it gave."""
    deadline = time.monotonic() + within_s
    while not (found := await condition()):
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.05)
    return found


@pytest.fixture
def serving(tmp_path, simulated):
    """`async with serving() as gateway`: one that shows the simulated camera."""
    secrets = tmp_path / "data" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "admin.hash").write_text(generate_password_hash("right", method="scrypt:1024:8:1"))
    listen = Listen(None, ANY, None)

    @asynccontextmanager
    async def serve(**changes):
        cameras = (replace(simulated.config, **changes),)
        config = Config(listen=listen, data_dir=tmp_path / "data", discovery=Discovery(enabled=False), cameras=cameras)
        access, _ = Access.open(config.data_dir)
        service = Service(config, access)
        await service.start()
        gateway = Gateway(service)
        try:
            yield gateway
        finally:
            async with asyncio.timeout(6):
                assert await service.stop()

    return serve


def listeners(simulated):
    return simulated.camera.events.subscriptions


def test_camera_turns_in_the_picture_and_stands_still_when_the_browser_is_gone(simulated, serving, monkeypatch):
    monkeypatch.setattr(ptz_api, "ANSWER_S", WITHIN_S)

    async def main():
        async with serving() as gateway:
            await eventually(lambda: asyncio.sleep(0, gateway.mark()))
            camera = await eventually(lambda: when(gateway.camera(), lambda found: found["ptz"]))
            assert camera["state"] == "live"
            centre = gateway.mark()
            status, can = await gateway.ask("/cameras/yard/ptz")
            assert (status, can["pan_tilt"], can["zoom"], can["home"], can["presets"]) == (200, True, True, True, [])
            for _ in range(4):
                status, answer = await gateway.ask("/cameras/yard/ptz", {"action": "move", "pan": 1.0, "tilt": 0.5})
                assert (status, answer["accepted"]) == (202, True)
                await asyncio.sleep(0.2)
            await eventually(lambda: asyncio.sleep(0, gateway.mark()[0] > centre[0] + 20))
            assert gateway.mark()[1] < centre[1]
            # nobody asks any more
            await eventually(lambda: asyncio.sleep(0, not simulated.camera.head.moving(time.monotonic())))
            assert simulated.camera.head.orders[-1] in ("Stop", "ContinuousMove")
            first = await gateway.next_mark(time.time())
            assert await gateway.next_mark(time.time()) == pytest.approx(first, abs=1.5)
            status, answer = await gateway.ask("/cameras/yard/ptz", {"action": "set_preset", "name": "Gate"})
            assert (status, [preset["name"] for preset in answer["presets"]]) == (200, ["Gate"])
            assert (await gateway.ask("/cameras/yard/ptz", {"action": "home"}))[0] == 200
            await eventually(lambda: asyncio.sleep(0, gateway.mark() == pytest.approx(centre, abs=1.5)))
            status, answer = await gateway.ask("/cameras/yard/ptz", {"action": "preset", "preset": "99"})
            assert (status, answer["error"]["code"]) == (502, "protocol")

    asyncio.run(main())


async def when(work, condition):
    """What `work` gives, if it fulfils the condition."""
    found = await work
    return found if condition(found) else None


def test_motion_is_told_by_the_api_and_on_the_bus(simulated, serving):
    async def main():
        async with serving() as gateway:
            heard = []
            gateway.service._devices.bus.subscribe(heard.append)
            await eventually(lambda: when(gateway.camera(), lambda found: found["events"]["listening"]))
            simulated.call(lambda: simulated.camera.events.report("motion", True))
            camera = await eventually(lambda: when(gateway.camera(), lambda found: found["events"]["motion_since"]))
            assert time.time() - camera["events"]["motion_since"] < 5
            assert camera["events"]["active"][0]["kind"] == "motion"
            (brief,) = (await gateway.ask("/cameras"))[1]["cameras"]
            assert brief["events"]["motion_since"] == camera["events"]["motion_since"]
            assert "last" not in brief["events"]
            simulated.call(lambda: simulated.camera.events.report("motion", False))
            camera = await eventually(lambda: when(gateway.camera(), lambda found: not found["events"]["active"]))
            assert [(event["kind"], event["on"]) for event in camera["events"]["last"]] == [("motion", False), ("motion", True)]
            assert [(event.camera, event.on) for event in heard] == [("yard", True), ("yard", False)]

    asyncio.run(main())


def test_no_subscription_is_left_behind_by_a_reload_or_the_end(simulated, serving):
    async def main():
        async with serving() as gateway:
            config = gateway.service._config
            for number in range(3):
                await eventually(lambda: when(gateway.camera(), lambda found: found["events"]["listening"]))
                assert listeners(simulated) == 1
                changed = replace(config.cameras[0], name=f"Yard {number}")
                await gateway.service.reload(replace(config, cameras=(changed,)))
            await eventually(lambda: when(gateway.camera(), lambda found: found["events"]["listening"]))
            await eventually(lambda: asyncio.sleep(0, listeners(simulated) == 1))
        assert listeners(simulated) == 0

    asyncio.run(main())


@pytest.mark.parametrize("simulated", [{"ptz": False}], indirect=True)
def test_camera_that_cannot_be_steered_is_said_to_be_so(simulated, serving):
    async def main():
        async with serving() as gateway:
            await eventually(lambda: when(gateway.camera(), lambda found: found["events"]["listening"]))
            camera = await gateway.camera()
            assert camera["ptz"] is False
            assert (await gateway.ask("/cameras/yard/ptz"))[0] == 404
            assert (await gateway.ask("/cameras/yard/ptz", {"action": "stop"}))[0] == 404

    asyncio.run(main())
