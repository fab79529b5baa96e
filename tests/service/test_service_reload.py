"""What a reload applies while the gateway runs, and what it leaves as it was."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from gateway.config.model import (
    Auth,
    Camera,
    Config,
    Credential,
    Discovery,
    Hls,
    HostPort,
    Onvif,
    RtspDefaults,
    Secret,
    SubPolicy,
    View,
)
from gateway.errors import ListenError
from gateway.http.access import Access
from gateway.http.messages import Request
from gateway.media.frame import Frame
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.reload.attempt import Outcome, Trigger
from gateway.service import Service
from gateway.web.plain_http import HTTPS_PORT

ANY = HostPort("127.0.0.1", 0)
AWAY = "rtsp://127.0.0.1:1/live"


def camera(camera_id: str, **more) -> Camera:
    return Camera(camera_id, **{"name": camera_id.title(), "rtsp": AWAY, **more})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def pictures(count: int) -> list[Frame]:
    """Of a camera with a keyframe every second."""
    config = TrackConfig(Codec.H264, 90_000, b"\1\x42\0\x1e\xff\xe0\0", "avc1.42001e", width=64, height=64)
    times = [number * 3600 for number in range(count)]
    return [Frame(config, at, at, 3600, at % 90_000 == 0, False, at / 90_000, b"\0\0\0\2\x65\x88") for at in times]


def accepts(port: int | None) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port or 0), 1).close()
    except OSError:
        return False
    return True


def test_settings_that_needed_a_restart_are_applied(config: Config, serving) -> None:
    async def main() -> None:
        async with serving(replace(config, cameras=(camera("yard", sub=AWAY),))) as service:
            reader = service._cameras["yard"].sources[0]._reader
            new = replace(
                config,
                site="Shed",
                auth=Auth(anonymous_viewing=True),
                hls=Hls(window_s=20.0),
                rtmp=replace(config.rtmp, silent_audio=False),
                rtsp=RtspDefaults(read_timeout_s=9.0),
                views=(View("all", "All", ("yard",)),),
                cameras=(camera("yard", sub=AWAY, sub_policy=SubPolicy.ALWAYS),),
            )
            change = await service.reload(new)
            assert change.restart_needed == ()
            assert service.site == "Shed"
            assert service._access.anonymous_viewing
            assert not service._rtmp.silent_audio
            assert [view.id for view in service.wall_views()] == ["all"]
            assert service._cameras["yard"].sources[0]._reader is reader
            assert reader._settings.read_timeout_s == 9.0
            assert service._cameras["yard"].sources[1]._reader is not None, "the sub stream is pulled from now on"
            await service.reload(replace(new, cameras=(camera("yard", sub=AWAY),)))
            assert service._cameras["yard"].sources[1].on_demand
            pages = service.pages.test_client()
            assert b"Shed" in (await asyncio.to_thread(pages.get, "/login")).data

    asyncio.run(main())


def test_ports_move_and_pages_point_to_the_new_ones(config: Config, serving) -> None:
    async def main() -> None:
        async with serving(config) as service:
            before = {scheme: service.port(scheme) for scheme in ("https", "http", "rtmp")}
            listen = replace(config.listen, http=None, https=HostPort("127.0.0.1", free_port()), rtmps=ANY, rtsp=ANY)
            change = await service.reload(replace(config, listen=listen))
            assert change.settings == ("listen.https", "listen.http", "listen.rtmps", "listen.rtsp")
            assert service.port("http") is None
            assert service.port("rtmp") == before["rtmp"]
            assert service.pages.config[HTTPS_PORT] == service.port("https") == listen.https.port
            opened = [service.port(scheme) for scheme in ("https", "rtmp", "rtmps", "rtsp")]
            assert all([await asyncio.to_thread(accepts, port) for port in opened])
            assert not any([await asyncio.to_thread(accepts, before[scheme]) for scheme in ("https", "http")])

    asyncio.run(main())


def test_a_port_that_cannot_be_had_refuses_the_reload_as_a_whole(config: Config, serving) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            async with serving(replace(config, cameras=(camera("yard"),))) as service:
                before = service.port("rtmp"), service.port("https")
                listen = replace(config.listen, rtmp=HostPort("127.0.0.1", taken.getsockname()[1]), https=ANY)
                with pytest.raises(ListenError, match="another program"):
                    await service.reload(replace(config, site="Other", listen=listen, cameras=(camera("gate"),)))
                assert service.site == config.site
                assert [view.id for view in service.cameras()] == ["yard"]
                assert (service.port("rtmp"), service.port("https")) == before
                assert await asyncio.to_thread(accepts, before[0])

    asyncio.run(main())


def test_another_login_for_all_cameras_opens_those_that_use_it(config: Config, serving) -> None:
    async def main() -> None:
        cameras = (Camera("asked", "Asked", address="127.0.0.1:1"), camera("own", username="u", password=Secret("p")))
        async with serving(replace(config, cameras=cameras)) as service:
            discovery = Discovery(enabled=False, credentials=(Credential("admin", Secret("new")),))
            change = await service.reload(replace(config, discovery=discovery, cameras=cameras))
            assert change.changed == ("asked",)
            assert service._cameras["asked"].camera.password == Secret("new")

    asyncio.run(main())


def test_search_is_switched_on_and_off(config: Config, serving) -> None:
    async def main() -> None:
        async with serving(config) as service:

            async def nothing():
                return []

            service._lookout._find = nothing
            for enabled, jobs in ((True, 2), (False, 0), (True, 2)):
                await service.reload(replace(config, discovery=Discovery(enabled=enabled, interval_s=77.0)))
                found = [service._scheduler.get_job(name) for name in ("search", "follow")]
                assert sum(job is not None for job in found) == jobs

    asyncio.run(main())


def test_recorders_log_in_with_the_new_password_on_the_same_port(config: Config, serving, monkeypatch) -> None:
    monkeypatch.setattr("gateway.onvif.face.discovery.DiscoveryFace.announce", lambda _face, one: told.append(one))
    told: list = []

    async def main() -> None:
        with_rtsp = replace(config, listen=replace(config.listen, rtsp=ANY))
        first = Onvif(True, "nvr", Secret("one"), ANY)
        async with serving(replace(with_rtsp, onvif=first)) as service:
            port = service.port("onvif")
            await service.reload(replace(with_rtsp, site="Shed", onvif=replace(first, password=Secret("two"))))
            assert service.port("onvif") == port
            assert service._parts.logins.users == {"nvr": "two"}
            assert (told[-1].identity.name, told[-1].http_port) == ("Shed", port)
            await service.reload(with_rtsp)
            assert service.port("onvif") is None
            assert not await asyncio.to_thread(accepts, port)

    asyncio.run(main())


def test_a_camera_that_is_switched_off_lets_its_viewers_go_and_keeps_its_place(config: Config, serving) -> None:
    async def main() -> None:
        async with serving(replace(config, cameras=(camera("yard"),))) as service:
            stream, dismissed = service._streams["yard"], []
            service._rtmp.dismiss = lambda which, reason: dismissed.append((which, reason)) or 0
            await service.reload(replace(config, cameras=(camera("yard", enabled=False),)))
            assert dismissed == [(stream, "the camera was switched off in the configuration")]
            assert service.camera("yard").status.code == "disabled"
            await service.reload(replace(config, cameras=(camera("yard"),)))
            assert service._streams["yard"] is stream
            assert len(dismissed) == 1

    asyncio.run(main())


def test_another_pace_begins_a_new_run_and_numbers_go_on(config: Config, serving) -> None:
    async def main() -> None:
        async with serving(replace(config, cameras=(camera("yard"),))) as service:
            channel = service._hls.channel(service._streams["yard"])
            first = channel.window
            path = f"/hls/yard/{first.run_id}/s{first.next_part[0]}.p0.m4s"
            waiting = asyncio.create_task(service._hls.handle(Request("GET", path, "", {}, "x", "http")))
            await asyncio.sleep(0)
            await service.reload(replace(config, hls=Hls(segment_s=4.0), cameras=(camera("yard"),)))
            assert channel.window is not first
            assert channel.window.run_id != first.run_id
            assert channel.window.media_sequence > first.next_part[0]
            assert channel.window_of(first.run_id) is first, "what was listed stays for a while"
            async with asyncio.timeout(1):
                assert (await waiting).status == 404, "a part that never comes must not keep a player waiting"

    asyncio.run(main())


@pytest.mark.parametrize(("change", "shown"), [({"rtsp": "rtsp://127.0.0.1:2/other"}, False), ({"audio": False}, True)])
def test_hls_shows_nothing_of_the_camera_before_under_the_name_of_another(config: Config, serving, change, shown) -> None:
    async def main() -> None:
        async with serving(replace(config, cameras=(camera("yard"),))) as service:
            stream = service._streams["yard"]
            stream.begin(frozenset({Kind.VIDEO}))
            stream.push(pictures(200))
            window = service._hls.channel(stream).window
            assert window.segments
            await service.reload(replace(config, cameras=(camera("yard", **change),)))
            assert service._streams["yard"] is stream
            assert bool(window.segments) is shown

    asyncio.run(main())


class Files:
    """A gateway that runs from files."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.yaml"
        self.settings = {
            "listen": dict.fromkeys(("https", "rtmp"), "off") | {"http": "127.0.0.1:0"},
            "data_dir": str(folder / "data"),
            "discovery": {"enabled": False},
        }
        self.write({"yard": {"rtsp": AWAY}})

    def write(self, cameras: dict, **more) -> None:
        self.path.write_text(json.dumps({**self.settings, "cameras": cameras, **more}))


def test_changed_files_are_read_once_and_refused_ones_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from gateway.config.load import load

    caplog.set_level(logging.INFO)

    async def looks(service: Service, times: int) -> None:
        for _ in range(times):
            await service._reloading.watch()

    async def main() -> None:
        files = Files(tmp_path)
        access, _ = Access.open(tmp_path / "data", "pw")
        service = Service(load(files.path, {}), access, files.path)
        await service.start()
        service._scheduler.pause()
        try:
            await looks(service, 3)
            assert "reloaded" not in caplog.text
            files.write({"yard": {"rtsp": AWAY}, "gate": {"rtsp": AWAY}})
            await looks(service, 1)
            assert "reloaded" not in caplog.text, "it may still be being written"
            await looks(service, 4)
            assert [view.id for view in service.cameras()] == ["yard", "gate"]
            assert caplog.text.count("configuration reloaded: 1 cameras added") == 1
            files.write({"yard": {"rtps": "x"}})
            await looks(service, 6)
            assert caplog.text.count("unknown key") == 1
            assert [view.id for view in service.cameras()] == ["yard", "gate"]
            status = service._reloading.status()
            assert (status.last.outcome, status.last.trigger) == (Outcome.REFUSED, Trigger.FILES)
            assert (status.last.complaints[0].file, status.last.complaints[0].key) == ("config.yaml", "cameras.yard.rtps")
            assert any(line.key == "gate" for line in status.lines), "what is shown is what is in effect"
            files.write({"gate": {"rtsp": AWAY}}, data_dir=str(tmp_path / "elsewhere"), reload={"watch": False})
            await looks(service, 2)
            assert service._reloading.status().restart_needed == ("data_dir",)
            files.write({})
            await looks(service, 4)
            assert [view.id for view in service.cameras()] == ["gate"], "watching was switched off"
            attempt = await service.reload_files(Trigger.REQUEST)
            assert (attempt.outcome, attempt.change.removed) == (Outcome.APPLIED, ("gate",))
        finally:
            await service.stop()

    asyncio.run(main())


def test_what_the_gateway_writes_itself_is_not_reloaded_a_second_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch
) -> None:
    from gateway.config.load import load
    from gateway.sources.adoption import Adopted, Wish

    caplog.set_level(logging.INFO)

    def adopt(wish: Wish, path: Path, environ) -> Adopted:
        file = path.parent / "conf.d" / "gate.yaml"
        file.parent.mkdir()
        file.write_text(json.dumps({"cameras": {"gate": {"rtsp": AWAY}}}))
        return Adopted("gate", "Gate", file, False, load(path, {}))

    monkeypatch.setattr("gateway.sources.adoption.adopt", adopt)

    async def main() -> None:
        files = Files(tmp_path)
        access, _ = Access.open(tmp_path / "data", "pw")
        service = Service(load(files.path, {}), access, files.path)
        await service.start()
        service._scheduler.pause()
        try:
            view = await asyncio.to_thread(service.adopt, Wish("127.0.0.1"))
            assert view.file == "conf.d/gate.yaml"
            for _ in range(4):
                await service._reloading.watch()
            assert [one.id for one in service.cameras()] == ["yard", "gate"]
            assert caplog.text.count("configuration reloaded") == 1
            assert service._reloading.status().last.trigger is Trigger.ADOPTION
        finally:
            await service.stop()

    asyncio.run(main())


def pair(folder: Path, name: str) -> None:
    """Write `fullchain.pem` and `privkey.pem`, in place, as a renewal does."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "60"]
    files = ["-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run([*command, "-subj", f"/CN={name}", *files], check=True, capture_output=True)


async def shown(port: int | None, version: ssl.TLSVersion | None = None) -> str:
    """Common name of the certificate that a port shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return x509.load_der_x509_certificate(certificate).subject.rfc4514_string()


def test_https_and_rtmps_show_a_certificate_of_ones_own_and_its_renewal(tmp_path: Path, caplog) -> None:
    from gateway.config.load import load

    async def settle(service: Service) -> None:
        for _ in range(3):
            await service._reloading.watch()

    async def main() -> None:
        files = Files(tmp_path)
        files.settings["listen"] = dict.fromkeys(("https", "rtmps"), "127.0.0.1:0") | {"http": "off", "rtmp": "off"}
        files.write({})
        access, _ = Access.open(tmp_path / "data", "pw")
        service = Service(load(files.path, {}), access, files.path)
        await service.start()
        service._scheduler.pause()
        ports = service.port("https"), service.port("rtmps")
        try:
            assert {await shown(port) for port in ports} == {"CN=Camera Gateway"}
            assert service.pages.config["GATEWAY_AUTHORITY"] is not None
            pair(tmp_path, "one.example")
            files.write({}, tls={"certificate": "fullchain.pem", "key": "privkey.pem"})
            await settle(service)
            assert {await shown(port) for port in ports} == {"CN=one.example"}
            assert (service.port("https"), service.port("rtmps")) == ports
            assert service.pages.config["GATEWAY_AUTHORITY"] is None
            pair(tmp_path, "two.example")
            await settle(service)
            assert {await shown(port) for port in ports} == {"CN=two.example"}
            (tmp_path / "privkey.pem").write_text("half of a")
            await settle(service)
            assert "tls.key: holds no private key in PEM" in caplog.text
            assert {await shown(port) for port in ports} == {"CN=two.example"}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # of asking for TLS 1.1 at all
                for port in ports:
                    with pytest.raises((ssl.SSLError, ConnectionError)):
                        await shown(port, ssl.TLSVersion.TLSv1_1)
            assert not service.failed
        finally:
            await service.stop()

    asyncio.run(main())
