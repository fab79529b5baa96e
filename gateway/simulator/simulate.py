"""`gateway simulate`: starts the virtual cameras, says where they are, stops them on a signal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.errors import ListenError
from gateway.media.track import Codec
from gateway.onvif.face.device import DEVICE_PATH
from gateway.onvif.face.discovery import Announced, DiscoveryFace
from gateway.onvif.face.http_face import HttpFace
from gateway.simulator.camera import (
    DEFAULT_PASSWORD,
    DEFAULT_SUB,
    DEFAULT_USERNAME,
    MAIN_PATH,
    SUB_PATH,
    Auth,
    CameraSpec,
    VirtualCamera,
    make_encoders,
)
from gateway.simulator.control import Control, parse_size
from gateway.simulator.onvif_face import SNAPSHOT_PATH
from gateway.simulator.video_codec import VideoSpec

log = logging.getLogger(__name__)

DEFAULT_BASE_PORT = 18500
MAX_CAMERAS = 64
GOLDEN_RATIO = 0.618033988749895
"""Steps of it around the colour wheel keep any number of cameras apart."""
CONTROL_HOST = "127.0.0.1"
EXIT_DONE, EXIT_FAILED, EXIT_WRONG_INPUT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class SimulatorSpec:
    """A set of cameras. `control_port` 0 is picked by the system, None means no control."""

    cameras: tuple[CameraSpec, ...]
    discovery: bool = True
    shared_encoder: bool = False
    """All cameras show one common picture: sixteen cost as much as one."""
    control_port: int | None = 0


@dataclass(frozen=True, slots=True)
class CameraAddress:
    """Where a running camera is. URLs carry no credentials."""

    name: str
    host: str
    onvif: str
    main: str
    sub: str | None
    snapshot: str
    endpoint: str
    serial: str
    username: str | None
    """None where no login is asked for."""


@dataclass(frozen=True, slots=True)
class Running:
    """What is told when everything answers."""

    cameras: tuple[CameraAddress, ...]
    control: str | None


def cameras_of(
    count: int,
    template: CameraSpec,
    *,
    base_port: int = DEFAULT_BASE_PORT,
    shared_encoder: bool = False,
    discovery: bool = True,
) -> SimulatorSpec:
    """`count` cameras like `template`, called "Camera 1" and so on, each with a colour of its own.

    Ports from `base_port` on: the control, then RTSP and HTTP of each camera in turn. 0 lets the system pick.
    """
    cameras = tuple(
        replace(
            template,
            name=f"Camera {number}",
            hue=number * GOLDEN_RATIO % 1,
            rtsp_port=base_port and base_port + 2 * number - 1,
            http_port=base_port and base_port + 2 * number,
        )
        for number in range(1, count + 1)
    )
    return SimulatorSpec(cameras, discovery=discovery, shared_encoder=shared_encoder, control_port=base_port)


async def simulate(spec: SimulatorSpec, *, stop: asyncio.Event, ready: Callable[[Running], None]) -> None:
    """Run the cameras until `stop` is set; calls `ready` once all of them answer. Raises ListenError."""
    encoders = make_encoders(replace(spec.cameras[0], name="Shared picture")) if spec.shared_encoder else None
    cameras = [VirtualCamera(camera, encoders) for camera in spec.cameras]
    control = HttpFace(Control(cameras).handle)
    discovery = DiscoveryFace(lambda: [_announced(camera) for camera in cameras if not camera.faults.dark])
    try:
        for camera in cameras:
            await camera.start()
        control_port = None if spec.control_port is None else await control.start(CONTROL_HOST, spec.control_port)
        if spec.discovery:
            await discovery.start()
            for camera in cameras:
                camera.on_presence = _announcer(discovery, camera)
        running = Running(
            tuple(address_of(camera) for camera in cameras),
            None if control_port is None else f"http://{CONTROL_HOST}:{control_port}/control",
        )
        for address in running.cameras:
            log.info("simulator: %s onvif %s main %s sub %s", address.name, address.onvif, address.main, address.sub)
        ready(running)
        await stop.wait()
    finally:
        await discovery.stop()
        await asyncio.gather(control.stop(), *(camera.stop() for camera in cameras))
        if encoders is not None:
            await asyncio.gather(*(encoder.stop() for encoder in encoders if encoder is not None))


def address_of(camera: VirtualCamera) -> CameraAddress:
    """The addresses of a started camera; one that listens everywhere is named by loopback."""
    spec = camera.spec
    host = "127.0.0.1" if spec.host in ("", "0.0.0.0") else spec.host
    name = f"[{host}]" if ":" in host else host
    return CameraAddress(
        name=spec.name,
        host=host,
        onvif=f"http://{name}:{camera.http_port}{DEVICE_PATH}",
        main=f"rtsp://{name}:{camera.rtsp_port}{MAIN_PATH}",
        sub=f"rtsp://{name}:{camera.rtsp_port}{SUB_PATH}" if spec.sub is not None else None,
        snapshot=f"http://{name}:{camera.http_port}{SNAPSHOT_PATH}",
        endpoint=camera.identity.endpoint,
        serial=camera.identity.serial,
        username=None if spec.auth is Auth.NONE else spec.username,
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gateway simulate`."""
    add = parser.add_argument
    add("--cameras", type=int, default=1, metavar="N", help=f"how many cameras (1 to {MAX_CAMERAS}; default 1)")
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0 shows the cameras to the whole LAN (default: %(default)s)",
    )
    add(
        "--base-port", type=int, default=DEFAULT_BASE_PORT, metavar="PORT",
        help="first port: control, then RTSP and ONVIF of each camera (default: %(default)s; 0 picks free ones)",
    )  # fmt: skip
    add("--video", choices=("h264", "h265"), default="h264", help="video codec (default: %(default)s)")
    add("--audio", choices=("aac", "pcmu", "pcma", "none"), default="aac", help="audio codec (default: %(default)s)")
    add("--size", default="1280x720", metavar="WxH", help="main picture size (default: %(default)s)")
    add("--fps", type=int, default=25, help="main frame rate (default: %(default)s)")
    add("--gop", type=int, default=50, metavar="FRAMES", help="frames between keyframes (default: %(default)s)")
    add("--bitrate", type=int, default=2000, metavar="KBIT", help="main bit rate in kbit/s (default: %(default)s)")
    add("--bframes", type=int, default=0, metavar="N", help="B-frames between P-frames (default: %(default)s)")
    add("--auth", choices=[auth.value for auth in Auth], default=Auth.DIGEST.value, help="login (default: %(default)s)")
    add("--username", default=DEFAULT_USERNAME, help="user name the cameras accept (default: %(default)s)")
    add("--password", default=DEFAULT_PASSWORD, help="password the cameras accept (default: %(default)s)")
    add("--no-ptz", action="store_true", help="fixed cameras: they cannot be steered")
    add("--no-discovery", action="store_true", help="do not answer WS-Discovery")
    add("--shared-encoder", action="store_true", help="all cameras show one picture, for the CPU cost of one")
    add("--json", action="store_true", help="print one line of JSON with all addresses when ready")
    add("--until-eof", action="store_true", help="end when standard input ends too, so as not to outlive a parent process")


def spec_from_arguments(args: argparse.Namespace) -> SimulatorSpec:
    """Check the options. Raises ValueError with a message for the user."""
    if not 1 <= args.cameras <= MAX_CAMERAS:
        raise ValueError(f"--cameras must be 1 to {MAX_CAMERAS}")
    if args.base_port and not 1 <= args.base_port <= 65535 - 2 * args.cameras:
        raise ValueError(f"--base-port must leave room for {2 * args.cameras} more ports")
    width, height = parse_size(args.size)
    codec = Codec(args.video)
    main = VideoSpec(codec, width, height, args.fps, args.gop, args.bitrate * 1000, args.bframes)
    template = CameraSpec(
        host=args.host,
        main=main,
        sub=replace(DEFAULT_SUB, codec=codec, fps=min(DEFAULT_SUB.fps, args.fps), bframes=args.bframes),
        audio=None if args.audio == "none" else Codec(args.audio),
        auth=Auth(args.auth),
        username=args.username,
        password=args.password,
        ptz=not args.no_ptz,
    )
    return cameras_of(
        args.cameras,
        template,
        base_port=args.base_port,
        shared_encoder=args.shared_encoder,
        discovery=not args.no_discovery,
    )


def run_from_arguments(args: argparse.Namespace) -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code: 0 done, 1 a port is taken, 2 wrong options."""
    try:
        spec = spec_from_arguments(args)
    except ValueError as error:
        print(f"gateway simulate: {error}", file=sys.stderr)
        return EXIT_WRONG_INPUT
    try:
        asyncio.run(_run(spec, as_json=args.json, until_eof=args.until_eof))
    except ListenError as error:
        print(f"gateway simulate: {error}", file=sys.stderr)
        return EXIT_FAILED
    return EXIT_DONE


async def _run(spec: SimulatorSpec, *, as_json: bool, until_eof: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, stop), name="standard input", daemon=True).start()
    await simulate(spec, stop=stop, ready=_print_json if as_json else _print_table)


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # os.read, because a thread inside sys.stdin's buffer makes the interpreter abort when it ends
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # the loop is closed: it ended for another reason
        loop.call_soon_threadsafe(stop.set)


def _print_json(running: Running) -> None:
    keys = ("name", "host", "onvif", "main", "sub", "snapshot", "endpoint", "serial", "username")
    cameras = [{key: getattr(camera, key) for key in keys} for camera in running.cameras]
    print(json.dumps({"cameras": cameras, "control": running.control}), flush=True)


def _print_table(running: Running) -> None:
    for camera in running.cameras:
        print(f"{camera.name}: {camera.main}  {camera.sub or ''}  {camera.onvif}")
    print(f"Control: {running.control}  (Ctrl-C stops)", flush=True)


def _announced(camera: VirtualCamera) -> Announced:
    return Announced(camera.identity, camera.spec.host, camera.http_port)


def _announcer(discovery: DiscoveryFace, camera: VirtualCamera) -> Callable[[bool], None]:
    def announce(present: bool) -> None:
        if present:  # a camera that lost power says no goodbye
            discovery.announce(_announced(camera))

    return announce
