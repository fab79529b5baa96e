"""UDP ports in pairs, a pace that receivers can follow, and no life sign from strangers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.media.track import Codec, TrackConfig
from gateway.rtsp.rtp import RtpSender
from gateway.rtsp.sdp import offer_tracks
from gateway.rtsp.session import SetupTrack
from gateway.rtsp.transport import UdpPorts
from gateway.rtsp.udp import BATCH_PACKETS, UdpSink

PCMU = TrackConfig(Codec.PCMU, 8000, b"", "", sample_rate=8000, channels=1)
RECEIVER_REPORT = b"\x80\xc9\x00\x01\x00\x00\x00\x07"


def receiver() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.settimeout(2.0)
    return sock


def track(ports: UdpPorts) -> SetupTrack:
    (offered,) = offer_tracks((PCMU,))
    return SetupTrack(offered, "", ports, RtpSender(0, 8000, ssrc=1, sequence=1, base=0))


def run(test: Callable[[socket.socket, socket.socket], Coroutine[Any, Any, None]]) -> None:
    rtp, rtcp = receiver(), receiver()
    try:
        asyncio.run(test(rtp, rtcp))
    finally:
        rtp.close()
        rtcp.close()


def test_ports_come_as_even_and_next() -> None:
    async def main(rtp: socket.socket, rtcp: socket.socket) -> None:
        sink = UdpSink("127.0.0.1", "127.0.0.1", lambda: None)
        for track_id in (0, 1, 1):
            ports = sink.open_ports(track_id, UdpPorts(1, 2))
            assert ports is not None
            assert (ports.rtp % 2, ports.rtcp) == (0, ports.rtp + 1)
        sink.close()
        sink.close()

    run(main)


def test_a_bounded_range_runs_out() -> None:
    async def main(rtp: socket.socket, rtcp: socket.socket) -> None:
        probe = UdpSink("127.0.0.1", "127.0.0.1", lambda: None)
        free = probe.open_ports(0, UdpPorts(1, 2))
        assert free is not None
        probe.close()
        sink = UdpSink("127.0.0.1", "127.0.0.1", lambda: None, range(free.rtp, free.rtp + 2))
        assert sink.open_ports(0, UdpPorts(1, 2)) == free
        assert sink.open_ports(1, UdpPorts(1, 2)) is None
        sink.close()

    run(main)


def test_a_burst_is_paced_and_arrives_in_order() -> None:
    async def main(rtp: socket.socket, rtcp: socket.socket) -> None:
        sink = UdpSink("127.0.0.1", "127.0.0.1", lambda: None)
        ready = asyncio.Event()
        sink.on_ready = ready.set
        ports = UdpPorts(rtp.getsockname()[1], rtcp.getsockname()[1])
        sink.open_ports(1, ports)
        sent = [index.to_bytes(2, "big") for index in range(3 * BATCH_PACKETS)]
        sink.send_rtp(track(ports), sent)
        assert not sink.ready
        sink.send_rtcp(track(ports), b"report")
        await asyncio.wait_for(ready.wait(), 2.0)
        assert sink.ready
        assert [rtp.recv(100) for _ in sent] == sent
        assert rtcp.recv(100) == b"report"
        assert sink.lost == 0
        sink.close()

    run(main)


def test_only_the_viewers_reports_keep_its_session_alive() -> None:
    async def main(rtp: socket.socket, rtcp: socket.socket) -> None:
        alive = asyncio.Event()
        sink = UdpSink("127.0.0.1", "127.0.0.1", alive.set)
        other = UdpSink("127.0.0.1", "192.0.2.1", lambda: strangers.append(1))
        strangers: list[int] = []
        ports, theirs = sink.open_ports(1, UdpPorts(1, 2)), other.open_ports(1, UdpPorts(1, 2))
        assert ports is not None
        assert theirs is not None
        rtcp.sendto(RECEIVER_REPORT, ("127.0.0.1", theirs.rtcp))
        rtcp.sendto(RECEIVER_REPORT, ("127.0.0.1", ports.rtp))
        rtcp.sendto(b"garbage", ("127.0.0.1", ports.rtcp))
        await asyncio.sleep(0.02)
        assert not alive.is_set()
        rtcp.sendto(RECEIVER_REPORT, ("127.0.0.1", ports.rtcp))
        await asyncio.wait_for(alive.wait(), 2.0)
        assert strangers == []
        sink.close()
        other.close()

    run(main)


def test_a_viewer_that_is_gone_loses_packets_and_raises_nothing() -> None:
    async def main(rtp: socket.socket, rtcp: socket.socket) -> None:
        sink = UdpSink("127.0.0.1", "127.0.0.1", lambda: None)
        ports = UdpPorts(rtp.getsockname()[1], rtcp.getsockname()[1])
        sink.open_ports(1, ports)
        rtp.close()
        for _ in range(3):
            sink.send_rtp(track(ports), [b"packet"])
        sink.close()

    run(main)
