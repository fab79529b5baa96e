"""Cameras on another network interface: found at once, followed when their address changes, never mixed up.

Root only: every host is a network namespace of its own. `GATEWAY_NETNS_ALL=1` runs the long ones too.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from child import until
from netns import NETWORK, GatewayThere, Lan

from gateway.onvif.discovery import discover
from gateway.simulator.camera import DEFAULT_PASSWORD, DEFAULT_USERNAME

pytestmark = pytest.mark.e2e

FOUND_WITHIN_S = 2.0
BACK_WITHIN_S = 10.0
LIVE_WITHIN_S = 25.0
SETTINGS = {"rtsp": {"read_timeout": "3s"}, "discovery": {"enabled": True, "interval": "10s"}}


thorough = pytest.mark.skipif("GATEWAY_NETNS_ALL" not in os.environ, reason="40 s; set GATEWAY_NETNS_ALL=1 to run it")


def entry(number: int, port: int = 80, **more: Any) -> dict[str, Any]:
    where = f"{NETWORK}.{number}" + ("" if port == 80 else f":{port}")
    return {"address": where, "username": DEFAULT_USERNAME, "password": DEFAULT_PASSWORD, **more}


@pytest.fixture(scope="module")
def cameras(lan_camera: Callable[..., Any]) -> dict[str, Any]:
    """One of its own kind, and two with the same endpoint reference and serial number."""
    return {"gate": lan_camera("Gate", 11), "twin-a": lan_camera("Twin", 12), "twin-b": lan_camera("Twin", 13)}


@pytest.fixture(scope="module")
def gateway(lan: Lan, cameras: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayThere]:
    """A gateway that has all of them live, and has searched."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    configured = {name: entry(camera.number) for name, camera in cameras.items()}
    configured["gate"]["sub_policy"] = "always"
    there = GatewayThere(lan.gateway, folder, configured, SETTINGS)
    try:
        there.wait_live(*configured, timeout_s=LIVE_WITHIN_S)
        until(lambda: len(devices(there)) == 3, 10, "three devices")
        yield there
    finally:
        there.end()


def devices(gateway: GatewayThere) -> list[dict[str, Any]]:
    return gateway.api("discovery")["devices"]


def streams_live(gateway: GatewayThere, camera_id: str) -> bool:
    return all(stream["state"] == "live" for stream in gateway.camera(camera_id)["streams"])


def test_three_cameras_on_the_second_interface_are_found_within_two_seconds(lan: Lan, cameras: dict[str, Any]) -> None:
    began = time.monotonic()
    found = lan.gateway.inside(lambda: asyncio.run(discover(FOUND_WITHIN_S)))
    assert time.monotonic() - began < FOUND_WITHIN_S + 1
    assert [device.address for device in found] == [f"{NETWORK}.{number}" for number in (11, 12, 13)]
    assert {device.endpoint for device in found} == {camera.endpoint for camera in cameras.values()}


def test_camera_that_dhcp_moved_is_back_within_ten_seconds_of_its_hello(gateway: GatewayThere, cameras: dict[str, Any]) -> None:
    before = gateway.last_segment("gate")
    cameras["gate"].readdress(21)
    cameras["gate"].hello()
    began = time.monotonic()
    gateway.wait_state("gate", ("late", "stalled", "offline", "connecting"), BACK_WITHIN_S)
    until(lambda: streams_live(gateway, "gate"), BACK_WITHIN_S - (time.monotonic() - began), "main and sub live again")
    print(f"back {time.monotonic() - began:.1f} s after the Hello")
    seen = gateway.camera("gate")
    assert (seen["source"], seen["found_at"]) == (f"{NETWORK}.11", f"{NETWORK}.21")
    assert gateway.log.count("camera gate: found at") == 1, gateway.log
    (device,) = (one for one in devices(gateway) if one["camera_id"] == "gate")
    assert (device["state"], device["address"]) == ("moved", f"{NETWORK}.21")
    until(lambda: gateway.last_segment("gate") > before, 10, "the playlist goes on")


def test_camera_that_says_nothing_is_back_after_the_next_search(gateway: GatewayThere, cameras: dict[str, Any]) -> None:
    cameras["gate"].readdress(22)
    gateway.wait_state("gate", ("late", "stalled", "offline", "connecting"), BACK_WITHIN_S)
    began = time.monotonic()
    until(lambda: gateway.camera("gate")["found_at"] == f"{NETWORK}.22", 10 + BACK_WITHIN_S, "the next search")
    until(lambda: streams_live(gateway, "gate"), BACK_WITHIN_S, "main and sub live again")
    print(f"back {time.monotonic() - began:.1f} s after its picture stopped")


@thorough
def test_twin_with_the_same_endpoint_reference_and_serial_number_is_never_taken_for_the_other(
    gateway: GatewayThere, cameras: dict[str, Any]
) -> None:
    cameras["twin-a"].host.ip("link", "set", "eth0", "down")
    gateway.wait_state("twin-a", "offline", LIVE_WITHIN_S)
    # long enough for a search that sees the other twin alone
    seen = max(device["last_seen"] for device in devices(gateway))
    until(lambda: max(device["last_seen"] for device in devices(gateway)) > seen + 1, 15, "another search")
    assert gateway.camera("twin-a")["state"] == "offline"
    assert gateway.camera("twin-a")["found_at"] is None
    assert gateway.camera("twin-b")["state"] == "live"
    cameras["twin-a"].readdress(23)
    cameras["twin-a"].host.ip("link", "set", "eth0", "up")
    cameras["twin-a"].hello()
    until(lambda: gateway.camera("twin-a")["found_at"] == f"{NETWORK}.23", 25, "its Hello, or the next search")
    gateway.wait_live("twin-a", timeout_s=BACK_WITHIN_S)
    assert gateway.camera("twin-b")["found_at"] is None


@thorough
def test_after_a_restart_it_is_asked_where_it_was_found_and_a_stranger_at_its_old_address_gets_no_password(
    gateway: GatewayThere, cameras: dict[str, Any], lan_camera: Callable[..., Any]
) -> None:
    stranger = lan_camera("Stranger", 11)
    gateway.terminate()
    gateway.start()
    gateway.wait_live("gate", timeout_s=LIVE_WITHIN_S)
    assert gateway.camera("gate")["found_at"] == f"{NETWORK}.22"
    cameras["gate"].host.ip("link", "set", "eth0", "down")
    gateway.wait_state("gate", "offline", LIVE_WITHIN_S)
    until(lambda: gateway.camera("gate")["code"] == "other-device", 40, "a look at the configured address")
    assert "another device is at" in gateway.camera("gate")["reason"]
    assert "wrong-credentials" not in gateway.log
    assert "refused" not in stranger.child.text
