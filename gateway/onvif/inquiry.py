"""Asks a device who it is, without a password. Blocks for seconds at most; worker threads."""

from __future__ import annotations

import logging
import socket
import time

from gateway.errors import SourceError
from gateway.onvif import wsdiscovery
from gateway.onvif.client import OnvifClient
from gateway.onvif.deadline import Deadline
from gateway.onvif.media import Introduction
from gateway.onvif.wsdiscovery import Device, Kind

log = logging.getLogger(__name__)

WHO_IS_S = 0.6
"""A camera answers a Probe sent to it alone within milliseconds, unless it waits a random time of up to 500 ms
(WS-Discovery 2.4, APP_MAX_DELAY)."""
INTRODUCE_S = 8.0


def who_is(host: str, port: int, *, timeout_s: float = WHO_IS_S, probe_port: int = wsdiscovery.PORT) -> Device | None:
    """The device at `host` that has its service on `port`, by a Probe sent to it alone; None if none answers.

    Also makes the kernel find out the host's hardware address.
    """
    end = time.monotonic() + timeout_s
    try:
        (family, *_, address), *_ = socket.getaddrinfo(host, probe_port, type=socket.SOCK_DGRAM)
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            for typed in (True, False):
                sock.sendto(wsdiscovery.probe(wsdiscovery.new_message_id(), typed=typed), address)
            while (left := end - time.monotonic()) > 0:
                sock.settimeout(left)
                data, sender = sock.recvfrom(wsdiscovery.MAX_DATAGRAM_BYTES)
                if sender[0] == address[0] and (device := _in(data, str(sender[0]), port)) is not None:
                    return device
    except OSError as error:
        log.debug("discovery: %s does not say who it is: %s", host, error)
    return None


def _in(data: bytes, sender: str, port: int) -> Device | None:
    """The device in an answer that has its service on `port`; an answer without addresses is about the only one there."""
    message = wsdiscovery.parse(data, sender)
    if message is None or message.kind is not Kind.MATCH:
        return None
    return next((device for device in message.devices if not device.xaddrs or port in device.ports), None)


def introduce(device: Device) -> Introduction | None:
    """Maker and model of a discovered device, as far as it tells them to strangers; None if it does not answer."""
    try:
        client = OnvifClient(device.address, known_xaddrs=device.xaddrs, deadline=Deadline(INTRODUCE_S))
        with client:
            return client.introduce()
    except (SourceError, ValueError) as error:
        log.debug("discovery: %s", error)
        return None
