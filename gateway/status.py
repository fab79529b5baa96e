"""`gateway status`: whether the service runs and is healthy, where it is reached, and what went wrong last.

Asks the service from outside, as a visitor would, and so needs no password. Works while the gateway is down.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import segno

from gateway import __version__
from gateway.config.load import load
from gateway.config.model import Config, HostPort
from gateway.errors import ConfigError
from gateway.http.addresses import BoxNames, box_names
from gateway.systemd import unit
from gateway.systemd.unit import Opinion, Probation

WS_DISCOVERY_PORT = 3702
ASK_S = 3.0
LOOK_S = 0.5


def show(path: Path, *, as_json: bool, qr: bool) -> int:
    """Print everything. Exit code 0 if the service is healthy, 1 if not."""
    config, findings = _load(path)
    state = unit.state()
    why = trouble(config) if state.active == "active" else f"the service is {state.active}"
    addresses = wall_addresses(config, box_names()) if config is not None else []
    release, errors = str(Path(__file__).resolve().parents[1]), unit.last_errors()
    if as_json:
        told = {
            "version": __version__,
            "release": release,
            "active": state.active,
            "sub": state.sub,
            "status": state.status,
            "restarts": state.restarts,
            "healthy": not why,
            "trouble": why,
            "addresses": addresses,
            "findings": findings,
            "errors": errors,
        }
        print(json.dumps(told))
        return int(bool(why))
    print(f"  release   {__version__}   {release}")
    print(f"  service   {state.active}{f' ({state.sub})' if state.sub else ''}{f', {state.status}' if state.status else ''}")
    print(f"  health    {why or 'good'}")
    for number, address in enumerate(addresses):
        print(f"  {'wall' if number == 0 else '':9} {address}")
    for finding in findings:
        print(f"  mistake   {finding}")
    for line in errors:
        print(f"  error     {line}")
    if qr and addresses:
        segno.make(addresses[0], error="l", micro=False).terminal(out=sys.stdout, border=2, compact=True)
    return int(bool(why))


def wait(path: Path, within_s: float, stable_s: float, live: int) -> int:
    """Wait until a service that was just started is to be trusted; prints its status, or why not. Exit code 0 or 1."""
    config, _ = _load(path)
    probation = Probation(within_s, stable_s, live, time.monotonic())
    while True:
        state = unit.state()
        ready = trouble(config) if state.active == "active" else ""
        opinion = probation.look(state, ready, time.monotonic())
        if opinion is Opinion.GOOD:
            print(state.status or "ready")
            return 0
        if opinion is Opinion.BAD:
            print(probation.reason)
            return 1
        time.sleep(LOOK_S)


def _load(path: Path) -> tuple[Config | None, list[str]]:
    try:
        return load(path, os.environ), []
    except ConfigError as error:
        return None, error.findings


def wall_addresses(config: Config, box: BoxNames) -> list[str]:
    """Every address of the wall that another machine can use: encrypted ones first, IPv4 before IPv6, names last."""
    found = []
    for scheme, listen in (("https", config.listen.https), ("http", config.listen.http)):
        if listen is not None:
            found += [f"{scheme}://{host}:{listen.port}/" for host in _hosts(listen, box)]
    return found


def ports(config: Config) -> list[str]:
    """What a firewall must let in, as `8443/tcp`. The one for UDP is where cameras announce themselves."""
    listen = config.listen
    opened = [listen.https, listen.http, listen.rtmp, listen.rtmps, listen.rtsp]
    opened += [config.onvif.listen] if config.onvif.enabled else []
    found = [f"{one.port}/tcp" for one in opened if one is not None]
    return found + ([f"{WS_DISCOVERY_PORT}/udp"] if config.discovery.enabled else [])


def _hosts(listen: HostPort, box: BoxNames) -> list[str]:
    host = listen.host.strip("[]")
    if host not in ("0.0.0.0", "::", ""):
        return [f"[{host}]" if ":" in host else host]
    usable = [one for one in box.addresses if not one.is_loopback and (host != "0.0.0.0" or one.version == 4)]
    names = [name for name in box.names if name.endswith(".local")]
    return [f"[{one}]" if one.version == 6 else str(one) for one in usable] + names


def trouble(config: Config | None) -> str:
    """Why the gateway is not ready; empty if it is."""
    if config is None:
        return "the configuration has mistakes"
    listen = config.listen.https or config.listen.http
    if listen is None:
        return "neither https nor http is open"
    scheme = "https" if config.listen.https is not None else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "[::]": "[::1]", "": "127.0.0.1"}.get(listen.host, listen.host)
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # its own certificate, on this machine
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with urllib.request.build_opener(*handlers).open(f"{scheme}://{host}:{listen.port}/readyz", timeout=ASK_S):
            return ""
    except urllib.error.HTTPError as error:
        return f"/readyz says {error.code}: {error.read(300).decode(errors='replace').strip()}"
    except (OSError, http.client.HTTPException) as error:
        return f"port {listen.port} does not answer: {getattr(error, 'reason', error)}"


if __name__ == "__main__":  # for the installer: the ports of a configuration
    print(*ports(load(Path(sys.argv[1]), os.environ)))
