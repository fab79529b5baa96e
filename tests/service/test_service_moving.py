"""A camera that moves is followed by the running gateway, and a stranger in its place learns no password.

The moves are to other ports of this machine; tests/netns has hosts and addresses of their own.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

from gateway.config.model import Camera, RtspDefaults, Secret, SubPolicy
from gateway.media.state import State
from gateway.onvif.wsdiscovery import Device
from gateway.simulator.camera import DEFAULT_PASSWORD, DEFAULT_USERNAME, CameraSpec, VirtualCamera
from gateway.simulator.video_codec import VideoSpec

SMALL = VideoSpec(width=320, height=180, fps=10, gop=10, bitrate=100_000)
WITHIN_S = 20.0


def virtual(name, http_port=0, **more):
    return VirtualCamera(CameraSpec(name=name, http_port=http_port, main=SMALL, sub=SMALL, audio=None, **more))


def announced(camera):
    address = f"127.0.0.1:{camera.http_port}"
    return Device(camera.identity.endpoint, address, (f"http://{address}/onvif/device_service",), name=camera.spec.name)


async def until(condition):
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


class Lan:
    """What discovery sees."""

    def __init__(self, service):
        self.devices = []
        service._lookout._find = self.find
        service._lookout._introduce = lambda device: None
        service._where._who_is = self.who_is
        self.search = service._lookout.search

    async def find(self, *timeout_s, **more):
        return list(self.devices)

    def who_is(self, host, port):
        return next((device for device in self.devices if port in device.ports), None)


def play(config, serving, scenario):
    async def main():
        first = virtual("Gate")
        await first.start()
        one = Camera(
            "gate",
            "Gate",
            address=f"127.0.0.1:{first.http_port}",
            username=DEFAULT_USERNAME,
            password=Secret(DEFAULT_PASSWORD),
            sub_policy=SubPolicy.ALWAYS,
        )
        settings = replace(config, cameras=(one,), rtsp=RtspDefaults(open_timeout_s=2.0, read_timeout_s=2.0))
        others = []
        try:
            async with serving(settings) as service:
                lan = Lan(service)
                lan.devices = [announced(first)]
                await until(lambda: live(service))
                await lan.search()
                await scenario(service, lan, first, others)
        finally:
            await asyncio.gather(first.stop(), *(other.stop() for other in others))

    asyncio.run(main())


def live(service):
    return all(stream.status.state is State.LIVE for stream in service.camera("gate").streams)


def test_main_and_sub_follow_and_the_next_start_begins_there(config, serving, caplog):
    async def scenario(service, lan, first, others):
        await first.go_dark()
        second = virtual("Gate")
        await second.start()
        others.append(second)
        await until(lambda: service.camera("gate").status.state is State.OFFLINE)
        lan.devices = [announced(second)]
        await lan.search()
        await until(lambda: live(service))
        assert service.camera("gate").found_at == f"127.0.0.1:{second.http_port}"
        assert caplog.text.count("camera gate: found at") == 1
        (view,) = service.discovered()
        assert (view.state.value, view.camera_id) == ("moved", "gate")
        await until(lambda: 'found": "127' in (config.data_dir / "cameras.json").read_text())

    play(config, serving, scenario)


def test_stranger_at_the_old_address_sees_no_password_and_the_admin_can_say_that_it_is_the_new_camera(config, serving):
    async def scenario(service, lan, first, others):
        address = first.http_port
        await first.go_dark()
        await until(lambda: service.camera("gate").status.state is State.OFFLINE)
        stranger = virtual("Stranger", http_port=address)
        seen = []
        original = stranger._onvif.handle

        def handle(call):
            seen.append(b"UsernameToken" in call.body or call.authorization is not None)
            return original(call)

        stranger._onvif.handle = handle
        others.append(stranger)
        lan.devices = [replace(announced(stranger), hardware="another model")]
        service._where.book.learn(
            service._cameras["gate"].camera,
            replace(service._where.book.get(service._cameras["gate"].camera).identity, hardware="virtual-camera"),
        )
        await stranger.start()
        await until(lambda: service.camera("gate").status.code == "other-device")
        assert seen and not any(seen)
        assert service.forget_identity("gate")
        assert not service.forget_identity("nobody")
        await until(lambda: live(service))
        assert any(seen)

    play(config, serving, scenario)
