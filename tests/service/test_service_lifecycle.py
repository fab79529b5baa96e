"""The gateway starts, changes and ends as promised, whatever one of its parts does."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from dataclasses import replace

import pytest

from gateway.config.model import Auth, Camera, HostPort, Listen, Onvif, ProxyTrust, Secret
from gateway.errors import InstanceError, ListenError, Unreachable
from gateway.instance import InstanceLock
from gateway.onvif.wsdiscovery import Device
from gateway.run import serve
from gateway.sources.camera import CameraSource

START_WITHIN_S = 10.0
AWAY = "rtsp://127.0.0.1:1/live"


def camera(camera_id, **more):
    return Camera(camera_id, **{"name": camera_id.title(), "rtsp": AWAY, **more})


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def test_it_starts_and_stops_within_bounds_and_frees_its_ports(config, serving):
    async def main():
        async with asyncio.timeout(START_WITHIN_S):
            running = serving(config)
            service = await running.__aenter__()
        ports = [service.port(scheme) for scheme in ("https", "http", "rtmp")]
        assert all([await asyncio.to_thread(accepts, port) for port in ports])
        began = time.monotonic()
        await running.__aexit__(None, None, None)
        assert time.monotonic() - began < 6
        assert not any([await asyncio.to_thread(accepts, port) for port in ports])

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["https", "http", "rtmp", "rtmps"])
def test_port_in_use_is_said_with_its_number_and_frees_the_others(config, serving, scheme):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
            port, free = taken.getsockname()[1], other.getsockname()[1]
            other.close()
            rest = {"rtmp" if scheme != "rtmp" else "http": HostPort("127.0.0.1", free)}
            listen = replace(Listen(None, None, None), **{scheme: HostPort("127.0.0.1", port)}, **rest)
            with pytest.raises(ListenError, match=rf"{port}.*(in use|listens there)"):
                async with serving(replace(config, listen=listen)):
                    pass
            assert not await asyncio.to_thread(accepts, free)

    asyncio.run(main())


def test_second_instance_is_refused_before_it_writes_anything(config):
    with InstanceLock(config.data_dir):
        with pytest.raises(InstanceError, match=r"another gateway .* already uses"):
            serve(config, lambda service, generated: None)
        assert [one.name for one in config.data_dir.iterdir()] == ["gateway.lock"]
    with InstanceLock(config.data_dir):
        pass


def test_reload_changes_what_changed_and_leaves_the_rest_running(config, serving):
    before = replace(config, cameras=(camera("stays"), camera("goes"), camera("changes")))
    after = replace(config, cameras=(camera("comes"), camera("changes", name="Other", audio=False), camera("stays")))

    async def main():
        async with serving(before) as service:
            streams = dict(service._streams)
            readers = {name: source.sources[0]._reader for name, source in service._cameras.items()}
            await service.reload(after)
            assert [view.id for view in service.cameras()] == ["comes", "changes", "stays"]
            assert service._streams["stays"] is streams["stays"]
            assert service._cameras["stays"].sources[0]._reader is readers["stays"]
            assert service._streams["changes"] is streams["changes"], "its viewers would be dismissed"
            assert service._cameras["changes"].sources[0]._reader is not readers["changes"]
            assert service.camera("changes").name == "Other"
            assert service.camera("goes") is None
            for name in ("goes", "changes"):
                await asyncio.to_thread(readers[name].thread.join, 5)
                assert not readers[name].thread.is_alive()

    asyncio.run(main())


def test_states_change_on_the_loop_alone(config, serving, monkeypatch):
    """On a worker thread a picture's freezing woke no page, and a reload meanwhile broke the look at the cameras."""

    async def main():
        looked = asyncio.Event()
        threads = []

        def tick(self):
            threads.append(threading.get_ident())
            loop.call_soon_threadsafe(looked.set)

        loop = asyncio.get_running_loop()
        monkeypatch.setattr(CameraSource, "tick", tick)
        async with serving(replace(config, cameras=(camera("yard"),))), asyncio.timeout(START_WITHIN_S):
            await looked.wait()
        assert set(threads) == {threading.get_ident()}

    asyncio.run(main())


def test_a_camera_that_is_only_called_otherwise_goes_on(config, serving):
    async def main():
        before = camera("yard", group="West")
        async with serving(replace(config, cameras=(before,))) as service:
            source = service._cameras["yard"]
            await service.reload(replace(config, cameras=(replace(before, name="Depot", group="East"),)))
            assert service._cameras["yard"] is source
            view = service.camera("yard")
            assert (view.name, view.group) == ("Depot", "East")
            await service.reload(replace(config, cameras=(replace(before, audio=False),)))
            assert service._cameras["yard"] is not source

    asyncio.run(main())


def test_pages_ask_from_other_threads(config, serving):
    async def main():
        async with serving(replace(config, cameras=(camera("yard"),))) as service:

            def ask():
                assert threading.get_ident() != service._loop_thread
                return (
                    [view.id for view in service.cameras()],
                    service.camera("yard").source,
                    service.camera("nobody"),
                    service.snapshot("yard", 320),
                    service.discovered(),
                    service.readiness().ready,
                )

            assert await asyncio.to_thread(ask) == (["yard"], AWAY, None, None, (), True)

    asyncio.run(main())


def test_listener_that_fails_to_stop_keeps_nothing_else_open(config, serving, caplog):
    async def main():
        async with serving(config) as service:
            ports = [service.port("https"), service.port("http")]
            stop = service._rtmp.stop

            async def fails():
                await stop()
                raise RuntimeError("the listener is stuck")

            service._rtmp.stop = fails
        assert not any([await asyncio.to_thread(accepts, port) for port in ports])

    asyncio.run(main())
    assert "stopping: the listener is stuck" in caplog.text


def test_switched_off_camera_is_disabled_everywhere_in_the_view(config, serving):
    async def main():
        async with serving(replace(config, cameras=(camera("yard", enabled=False, sub=AWAY),))) as service:
            view = service.camera("yard")
            assert {view.status.code, *(stream.status.code for stream in view.streams)} == {"disabled"}
            assert view.status.since > 0

    asyncio.run(main())


def test_camera_is_asked_where_discovery_has_seen_it(config, serving, monkeypatch):
    asked = asyncio.Event()
    seen = {}

    async def find():
        return [Device("urn:1", "127.0.0.9:8899", ("http://127.0.0.9:8899/onvif/device",), name="Cam")]

    async def main():
        loop = asyncio.get_running_loop()

        def client_for(address, *login, known_xaddrs, **more):
            seen[address] = known_xaddrs
            loop.call_soon_threadsafe(asked.set)
            raise Unreachable("away")

        monkeypatch.setattr("gateway.sources.resolver.client_for", client_for)
        async with serving(config) as service:
            service._lookout._find = find
            service._lookout._introduce = lambda device: None
            await service._lookout.search()
            one = Camera("yard", "Yard", address="127.0.0.9")
            await service.reload(replace(config, cameras=(one,)))
            async with asyncio.timeout(5):
                await asked.wait()
            assert [(view.camera_id, view.state.value) for view in service.discovered()] == [("yard", "known")]

    asyncio.run(main())
    assert seen == {"127.0.0.9": ("http://127.0.0.9:8899/onvif/device",)}


def test_recorders_find_this_gateway_and_it_does_not_find_itself(config, serving, monkeypatch):
    """Its own answer to its own search must not stand among the cameras that can be added."""
    heard = []

    async def find(*_interfaces, **_options):
        return [Device(endpoint, "127.0.0.9", ()) for endpoint in (heard[0], "urn:uuid:camera")]

    async def main():
        monkeypatch.setattr("gateway.onvif.face.discovery.DiscoveryFace.announce", lambda _face, one: told.append(one))
        onvif = Onvif(True, "nvr", Secret("pw"), HostPort("127.0.0.1", 0))
        async with serving(replace(config, listen=replace(config.listen, rtsp=config.listen.http), onvif=onvif)) as service:
            assert service.port("rtsp")
            assert await asyncio.to_thread(accepts, service.port("onvif"))
            assert [(one.identity.name, one.http_port) for one in told] == [(config.site, service.port("onvif"))]
            heard.append(told[0].identity.endpoint)
            service._lookout._find = find
            service._lookout._introduce = lambda device: None
            await service._lookout.search()
            assert [view.endpoint for view in service.discovered()] == ["urn:uuid:camera"]
        assert service.port("rtsp") is None

    told = []
    asyncio.run(main())


def test_connections_of_a_trusted_proxy_have_no_bound_of_their_own_also_after_a_reload(config, serving):
    async def main():
        async with serving(config) as service:
            exempt = service._http.warden.exempt
            assert not exempt("192.0.2.8")
            await service.reload(replace(config, auth=Auth(proxy=ProxyTrust(("192.0.2.8/32",)))))
            assert exempt("192.0.2.8")
            assert not exempt("192.0.2.9")

    asyncio.run(main())
