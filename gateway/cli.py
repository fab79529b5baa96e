"""The command line: `gateway run|check|discover|probe|adopt|snapshot|passwd|token|status|demo|simulate`.

Nothing else imports this module.

Exit codes: 0 done, 1 failed, 2 wrong input.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import getpass
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.errors import ConfigError, GatewayError, InstanceError
from gateway.logs import configure

if TYPE_CHECKING:
    from gateway.config.model import Camera, Config
    from gateway.service import Service

OK, FAILED, WRONG_INPUT = 0, 1, 2
DEFAULT_CONFIG = Path("config.yaml")
SERVICE_CONFIG = Path("/etc/camera-gateway/config.yaml")
CAMERA_PASSWORD = "GATEWAY_CAMERA_PASSWORD"


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = _parser(sys.argv[1:] if argv is None else argv)
    arguments = parser.parse_args(argv)
    configure(arguments.verbose)
    command: Callable[[argparse.Namespace], int] = arguments.command
    try:
        return command(arguments)
    except ConfigError as error:
        for finding in error.findings:
            print(finding, file=sys.stderr)
        return WRONG_INPUT
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename is not None else ""
        print(f"gateway: {where}{error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return FAILED


def _parser(words: Sequence[str] = ("simulate",)) -> argparse.ArgumentParser:
    """For a command line of these `words`; the simulator, which brings libavcodec and 30 MB, is loaded only if it is named."""
    from gateway.access import commands as commands_of_access

    parser = argparse.ArgumentParser(prog="gateway", description="Camera Gateway: IP cameras in, RTMP, HLS and a wall out.")
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="log more")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=function)
        return sub

    def takes_config(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("-c", "--config", type=Path, default=DEFAULT_CONFIG, help="default: %(default)s")

    def takes_json(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--json", action="store_true", help="print JSON for scripts")

    run = command("run", _run, "serve the cameras of config.yaml")
    takes_config(run)
    check = command("check", _check, "check config.yaml and say everything that is wrong with it")
    takes_config(check)
    takes_json(check)
    find = command("discover", _discover, "look for ONVIF cameras on the local networks")
    find.add_argument("--timeout", type=float, default=2.5, help="seconds to wait for answers (default: %(default)s)")
    find.add_argument(
        "--subnet",
        action="append",
        default=[],
        metavar="NET",
        help="ask every address of a subnet one by one, e.g. 192.168.1.0/24 (may be given several times)",
    )
    takes_json(find)
    probe = command("probe", _probe, "ask a camera what it is, watch its streams, and say what could be set better")
    probe.add_argument("camera", help="id of a camera in config.yaml, or an address")
    probe.add_argument("--username")
    probe.add_argument("--password", help="better: leave it out and type it")
    probe.add_argument("--no-watch", action="store_true", help="only ask, do not watch the streams for some seconds")
    takes_config(probe)
    takes_json(probe)
    take = command("adopt", _adopt, "take an ONVIF camera into the configuration and serve it from now on")
    take.add_argument("address", help="address of the camera: host or host:port")
    take.add_argument("--id", default="", help="default: made from the name")
    take.add_argument("--name", default="", help="default: manufacturer and model")
    take.add_argument("--username", default="", help="the password is asked for, or read from the environment or a file")
    take.add_argument("--password-file", type=Path, help=f"file with the password; else {CAMERA_PASSWORD} in the environment")
    takes_config(take)
    takes_json(take)
    shot = command("snapshot", _snapshot, "save one picture of a camera as JPEG, straight from the camera")
    shot.add_argument("camera", help="id of a camera in config.yaml")
    shot.add_argument("-o", "--output", type=Path, help="default: CAMERA.jpg")
    takes_config(shot)
    password = command(
        "passwd", _passwd, "set the admin's password, or hash another user's (asked for, or from standard input)"
    )
    commands_of_access.add_passwd_arguments(password)
    takes_config(password)
    token = command("token", _token, "create, list or revoke API tokens for programs")
    commands_of_access.add_token_arguments(token)
    takes_config(token)
    takes_json(token)
    service = command("status", _status, "say whether the service is healthy, and where it is reached")
    service.add_argument("-c", "--config", type=Path, help=f"default: {SERVICE_CONFIG} or, without it, {DEFAULT_CONFIG}")
    takes_json(service)
    service.add_argument("--qr", action="store_true", help="show the wall's address as a QR code for a phone")
    service.add_argument("--wait", type=float, metavar="S", help="wait until it is healthy, at most so many seconds")
    service.add_argument("--stable", type=float, default=10.0, metavar="S", help="with --wait: healthy for so long")
    service.add_argument("--live", type=int, default=0, metavar="N", help="with --wait: with so many cameras live")
    demo = command("demo", _demo, "try everything with simulated cameras")
    demo.add_argument("--cameras", type=int, default=4, choices=range(1, 17), metavar="N", help="default: %(default)s")
    demo.add_argument("--base-port", type=int, default=18500, help="first port of the simulated cameras")
    demo.add_argument("--data-dir", type=Path, default=Path("data/demo"), help="default: %(default)s")
    demo.add_argument("--https", type=int, default=8443)
    demo.add_argument("--http", type=int, default=8080)
    demo.add_argument("--rtmp", type=int, default=1935)
    sim = command("simulate", _simulate, "be one or more ONVIF cameras with a test picture")
    if "simulate" in words:
        from gateway.simulator import simulate

        simulate.add_arguments(sim)
    return parser


def _simulate(arguments: argparse.Namespace) -> int:
    from gateway.simulator import simulate

    return simulate.run_from_arguments(arguments)


def _load(path: Path) -> Config:
    from gateway.config.load import load

    return load(path, os.environ)


def _run(arguments: argparse.Namespace) -> int:
    from gateway.run import serve

    # systemd's watchdog ends a gateway that hangs with SIGABRT: the log then holds where every thread stood
    faulthandler.enable(2)
    config = _load(arguments.config)

    def started(service: Service, generated: str | None) -> None:
        _welcome(service, generated, f"{len(config.cameras)} cameras configured")

    return serve(config, started, arguments.config)


def _check(arguments: argparse.Namespace) -> int:
    from gateway.config.harm import harms
    from gateway.config.load import read

    try:
        config = _load(arguments.config)
    except ConfigError as error:
        if arguments.json:
            print(json.dumps({"ok": False, "findings": error.findings}))
            return WRONG_INPUT
        raise
    warnings = [*config.warnings, *harms(arguments.config, read(arguments.config, os.environ))]
    if arguments.json:
        print(json.dumps({"ok": True, "cameras": [camera.id for camera in config.cameras], "warnings": warnings}))
        return OK
    for warning in warnings:
        print(warning)
    print(f"{arguments.config}: correct, {len(config.cameras)} cameras")
    return OK


def _discover(arguments: argparse.Namespace) -> int:
    from gateway.onvif import report
    from gateway.onvif.discovery import discover

    if arguments.subnet:
        return _sweep(arguments)
    devices = asyncio.run(discover(arguments.timeout))
    print(report.as_json(devices) if arguments.json else report.table(devices))
    return OK


def _sweep(arguments: argparse.Namespace) -> int:
    from gateway.onvif import report
    from gateway.onvif.sweep import bar, hosts_of, sweep

    try:
        hosts = tuple(dict.fromkeys(host for subnet in arguments.subnet for host in hosts_of(subnet)))
    except ValueError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return WRONG_INPUT

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{bar(done, total)}", end="", file=sys.stderr, flush=True)

    found = asyncio.run(sweep(hosts, timeout_s=arguments.timeout, progress=progress))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    print(report.as_json(found.devices, found.told) if arguments.json else report.table(found.devices, found.told))
    return OK


def _probe(arguments: argparse.Namespace) -> int:
    from gateway.config.model import Camera, RtspDefaults, Secret
    from gateway.device.probe import as_json, as_text, probe

    camera, config = _find(arguments)
    if camera is None:
        camera = Camera(arguments.camera, arguments.camera, address=arguments.camera)
    username = arguments.username or camera.username
    password = arguments.password or (camera.password.reveal() if camera.password is not None else None)
    if username and password is None:
        password = getpass.getpass(f"password of {username} on {camera.address or camera.id}: ")
    camera = replace(camera, username=username, password=Secret(password) if password is not None else None)
    found = probe(camera, config.rtsp if config is not None else RtspDefaults(), watch=not arguments.no_watch)
    print(as_json(found) if arguments.json else as_text(found))
    return OK


def _adopt(arguments: argparse.Namespace) -> int:
    from gateway import instance
    from gateway.config import secrets
    from gateway.sources.adoption import Wish, adopt

    password = ""
    if arguments.username:
        if arguments.password_file is not None:
            try:
                password = secrets.read_file(arguments.password_file).reveal()
            except ValueError as error:
                raise GatewayError(f"{arguments.password_file}: {error}") from None
        else:
            password = os.environ.get(CAMERA_PASSWORD) or getpass.getpass(f"password of {arguments.username}: ")
    wish = Wish(arguments.address, arguments.id, arguments.name, arguments.username, password)
    adopted = adopt(wish, arguments.config, os.environ)
    try:
        process = instance.holder(adopted.config.data_dir)
        if process is not None:
            os.kill(process, signal.SIGHUP)
    except (InstanceError, PermissionError):
        raise GatewayError(
            f"{adopted.id} was written to {adopted.file}, but a gateway of another user must be told to reload"
        ) from None
    if arguments.json:
        told = {"id": adopted.id, "name": adopted.name, "file": str(adopted.file), "sub": adopted.has_sub, "process": process}
        print(json.dumps(told))
        return OK
    print(f"{adopted.id}: {adopted.name}, written to {adopted.file}")
    if process is not None:
        print(f"the running gateway (process {process}) serves it from now on")
    else:
        print("no gateway runs on this configuration; the next one will serve it")
    return OK


def _snapshot(arguments: argparse.Namespace) -> int:
    from gateway.media.snapshot import SnapshotError, jpeg
    from gateway.sources.address_book import FILE_NAME, AddressBook
    from gateway.sources.resolver import OnvifFinder
    from gateway.sources.single import first_keyframe
    from gateway.sources.whereabouts import Whereabouts

    camera, config = _find(arguments)
    if camera is None or config is None:
        raise GatewayError(f"{arguments.config} has no camera {arguments.camera}")
    try:
        # read only: what the running gateway knows of the camera, so that it is asked where it is, and nobody else is
        finder = OnvifFinder(Whereabouts(AddressBook(config.data_dir / FILE_NAME)))
        picture = jpeg(first_keyframe(camera, config.rtsp, finder))
    except SnapshotError as error:
        raise GatewayError(f"{camera.id}: {error}") from None
    output = arguments.output or Path(f"{camera.id}.jpg")
    output.write_bytes(picture)
    print(output)
    return OK


def _passwd(arguments: argparse.Namespace) -> int:
    from gateway.access import commands

    return commands.passwd(arguments, lambda: _load(arguments.config))


def _token(arguments: argparse.Namespace) -> int:
    from gateway.access import commands

    return commands.token(arguments, _load(arguments.config))


def _status(arguments: argparse.Namespace) -> int:
    from gateway import status

    config = arguments.config or (SERVICE_CONFIG if SERVICE_CONFIG.exists() else DEFAULT_CONFIG)
    if arguments.wait is not None:
        return status.wait(config, arguments.wait, arguments.stable, arguments.live)
    return status.show(config, as_json=arguments.json, qr=arguments.qr)


def _demo(arguments: argparse.Namespace) -> int:
    from gateway import demo
    from gateway.config.model import Config, Discovery, HostPort, Listen
    from gateway.run import serve

    https, http, rtmp = (HostPort("0.0.0.0", port) for port in (arguments.https, arguments.http, arguments.rtmp))
    listen = Listen(https, http, rtmp)
    config = Config(site="Demo", listen=listen, data_dir=arguments.data_dir, discovery=Discovery(enabled=True))
    # Until the gateway runs and listens to it: an end that leaves no simulator behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with demo.simulator(arguments.cameras, arguments.base_port) as cameras:
        found = demo.find(cameras)
        print(f"found {len(found)} simulated cameras by WS-Discovery: {', '.join(found)}", flush=True)
        config = demo.with_cameras(config, cameras, found)
        return serve(config, lambda service, generated: _welcome(service, generated, f"{len(cameras)} simulated cameras"))


def _find(arguments: argparse.Namespace) -> tuple[Camera | None, Config | None]:
    """The camera of that id with its login, if there is one, and the configuration, if there is one."""
    from gateway.sources.account import with_login

    if not arguments.config.exists() and arguments.config == DEFAULT_CONFIG:
        return None, None
    config = _load(arguments.config)
    camera = next((camera for camera in config.cameras if camera.id == arguments.camera), None)
    return (with_login(camera, config.discovery.credentials) if camera is not None else None), config


def _welcome(service: Service, generated: str | None, what: str) -> None:
    host = socket.gethostname()
    port = service.port("https")
    print(f"\nCamera Gateway {__version__}: {what}", flush=True)
    if port is not None:
        print(f"  wall      https://{host}:{port}/   (here: https://localhost:{port}/)")
    plain = service.port("http")
    if plain is not None:
        print(f"  plain     http://{host}:{plain}/")
    rtmp = service.port("rtmp")
    if rtmp is not None:
        print(f"  RTMP      rtmp://{host}:{rtmp}/live/CAMERA")
    rtmps = service.port("rtmps")
    if rtmps is not None:
        print(f"  RTMPS     rtmps://{host}:{rtmps}/live/CAMERA")
    rtsp = service.port("rtsp")
    if rtsp is not None:
        print(f"  RTSP      rtsp://{host}:{rtsp}/live/CAMERA")
    onvif = service.port("onvif")
    if onvif is not None:
        print(f"  ONVIF     http://{host}:{onvif}/onvif/device_service   (for recorders)")
    print("  user      admin")
    if generated is not None:
        print(f"  password  {generated}   (made just now and shown only once; change it with: gateway passwd)")
    else:
        print("  password  as set before (change it with: gateway passwd)")
    if port is not None:
        print("  The browser warns about the certificate once: this box made it itself.")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
