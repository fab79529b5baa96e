"""A camera's streams are pulled when they should be, with the login that was decided for it."""

import asyncio
import base64
import dataclasses
import time

from gateway import errors, views
from gateway.config.model import Camera, Credential, Listen, RtspDefaults, Secret, SubPolicy
from gateway.media.state import State
from gateway.sources.account import with_login
from gateway.sources.camera import CameraSource
from gateway.sources.location import Streams

DEFAULTS = RtspDefaults(open_timeout_s=1.0, read_timeout_s=1.0)
CLOSED = "rtsp://127.0.0.1:1/live"
BY_URL = Camera("cam", "Cam", rtsp=CLOSED, sub=f"{CLOSED}/sub")


def never(camera):
    raise AssertionError("the camera must not be asked")


class Finder:
    """A `CameraFinder` that answers with what `resolve` returns."""

    def __init__(self, resolve):
        self.resolve = resolve

    def streams(self, camera):
        return Streams(*self.resolve(camera))

    def address(self, camera):
        return camera.address, 80

    def missed(self, camera):
        """There is one place only."""


async def until(condition, timeout_s=10.0):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def end(source):
    for thread in source.stop():
        await asyncio.to_thread(thread.join, 5)


def run(scenario, camera, resolve=never):
    async def main():
        source = CameraSource(camera, DEFAULTS, Finder(resolve), asyncio.get_running_loop())
        try:
            await scenario(source)
        finally:
            await end(source)

    asyncio.run(main())


def test_viewer_of_a_switched_off_camera_does_not_start_it():
    began = time.time()

    async def scenario(source):
        source.start()
        source.streams[1].demand.hold("hls")
        assert source.sources[1]._reader is None
        for status in (source.status, *(stream.status for stream in source.streams)):
            assert (status.state, status.code) == (State.DISABLED, "disabled")
            assert began <= status.since <= time.time()

    run(scenario, dataclasses.replace(BY_URL, enabled=False))


def test_viewer_who_comes_after_the_end_starts_nothing():
    async def scenario(source):
        source.start()
        await end(source)
        source.streams[1].demand.hold("rtmp")
        assert [one._reader for one in source.sources] == [None, None]

    run(scenario, BY_URL)


def test_viewer_starts_an_on_demand_stream():
    async def scenario(source):
        source.start()
        assert source.streams[1].status.code == "idle"
        source.streams[1].demand.hold("hls")
        await until(lambda: source.streams[1].status.code == "unreachable")

    run(scenario, BY_URL)


def challenge(request):
    cseq = next((line for line in request.split(b"\r\n") if line.lower().startswith(b"cseq:")), b"CSeq: 0")
    status = b"200 OK" if request.startswith(b"OPTIONS") else b"401 Unauthorized"
    return b"RTSP/1.0 " + status + b"\r\n" + cseq + b'\r\nWWW-Authenticate: Basic realm="x"\r\n\r\n'


def test_discovery_login_that_found_the_streams_is_used_to_pull_them(camera):
    server = camera(challenge)
    asked = []

    def resolve(one):
        asked.append((one.username, one.password.reveal()))
        return f"rtsp://127.0.0.1:{server.port}/main", None

    async def scenario(source):
        source.start()
        await until(lambda: source.status.code == "wrong-credentials")

    found = with_login(Camera("cam", "Cam", address="127.0.0.1"), (Credential("finder", Secret("found")),))
    run(scenario, found, resolve)
    assert asked == [("finder", "found")]
    login = base64.b64encode(b"finder:found")
    assert any(login in request for request in server.requests)


def test_second_viewer_after_a_refusal_costs_no_second_login(camera):
    server = camera(challenge)
    url = f"rtsp://127.0.0.1:{server.port}/live"

    async def scenario(source):
        sub = source.sources[1]
        source.start()
        for _ in range(3):
            hold = sub.stream.demand.hold("hls")
            await until(lambda: sub.stream.status.code == "wrong-credentials" and sub.stream.status.next_retry)
            assert sub.stream.status.next_retry - time.time() > 590
            hold.release()
            sub._cancel_stopping()
            sub._rest()

    wrong = Camera("cam", "Cam", rtsp=CLOSED, sub=url, username="admin", password=Secret("wrong"))
    run(scenario, wrong)
    assert sum(b"Authorization" in request for request in server.requests) == 1


def test_camera_with_one_profile_is_asked_once_and_its_sub_is_not_offered():
    asked = []

    def resolve(one):
        asked.append(1)
        return CLOSED, None

    async def scenario(source):
        source.start()
        await until(lambda: source.streams[1].status.code == "no-such-path" and source.status.code == "unreachable")
        assert source.streams[1].status.next_retry - time.time() > 40
        assert len(asked) == 1
        view = views.camera_view(source, Listen(rtmp=None))
        assert [stream.id for stream in view.streams] == ["cam"]
        assert "hls_sub" not in view.urls

    run(scenario, Camera("cam", "Cam", address="127.0.0.1", sub_policy=SubPolicy.ALWAYS), resolve)


def test_failure_to_resolve_is_the_streams_reason():
    def resolve(one):
        raise errors.Unreachable("10.0.0.5 is away")

    async def scenario(source):
        source.start()
        await until(lambda: source.status.reason == "10.0.0.5 is away")

    run(scenario, Camera("cam", "Cam", address="127.0.0.1:1"), resolve)
