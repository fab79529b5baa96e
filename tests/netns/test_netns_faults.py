"""The cable of a camera is pulled: what docs/network.md says happens, happens.

Root only. `GATEWAY_NETNS_ALL=1` pulls it for half a minute instead of seven seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from netns import NETWORK, GatewayThere, Lan

from gateway.simulator.camera import DEFAULT_PASSWORD, DEFAULT_USERNAME

pytestmark = pytest.mark.e2e

PULLED_S = 30.0 if "GATEWAY_NETNS_ALL" in os.environ else 7.0
BACK_WITHIN_S = 10.0


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {"address": f"{NETWORK}.{number}", "username": DEFAULT_USERNAME, "password": DEFAULT_PASSWORD, **more}


@pytest.fixture(scope="module")
def cameras(lan_camera: Callable[..., Any]) -> dict[str, Any]:
    return {"far": lan_camera("Far", 21), "near": lan_camera("Near", 22)}


@pytest.fixture(scope="module")
def gateway(lan: Lan, cameras: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayThere]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    there = GatewayThere(lan.gateway, folder, {name: entry(one.number) for name, one in cameras.items()}, {})
    try:
        there.wait_live(*cameras, timeout_s=40)
        yield there
    finally:
        there.end()


def test_a_cable_that_is_pulled_is_seen_at_once_and_forgotten_soon_after(gateway: GatewayThere, cameras: dict[str, Any]):
    port = f"p{switch_port(cameras['far'])}"
    since = gateway.camera("near")["since"]
    cameras["far"].lan.gateway.ip("link", "set", port, "down")
    try:
        pulled = time.monotonic()
        gateway.wait_state("far", ("late", "stalled", "offline"), 4)
        gateway.wait_state("far", ("stalled", "offline"), 12)
        time.sleep(max(0.0, PULLED_S - (time.monotonic() - pulled)))
        assert gateway.camera("far")["reason"]
    finally:
        cameras["far"].lan.gateway.ip("link", "set", port, "up")
    gateway.wait_live("far", timeout_s=BACK_WITHIN_S)
    near = gateway.camera("near")
    assert (near["state"], near["since"]) == ("live", since)


def switch_port(camera: Any) -> int:
    """Which port of the switch its cable is in."""
    hosts = camera.lan.hosts
    return next(number for number, host in enumerate(hosts, 1) if host is camera.host)
