"""How the port of each protocol is opened, for `Doors`. Event loop only."""

from __future__ import annotations

from gateway.config.model import HostPort
from gateway.doors import Door, Opener
from gateway.http.listeners import HttpListeners
from gateway.nvr.onvif_device import OnvifDevice
from gateway.nvr.rtsp_output import RtspOutput
from gateway.rtmp.server import RtmpServer
from gateway.rtmp.tls import ServerTls


def openers(
    http: HttpListeners, rtmp: RtmpServer, rtmp_tls: ServerTls, rtsp: RtspOutput, onvif: OnvifDevice
) -> dict[str, Opener]:
    """By scheme, in the order in which they are opened: what costs nothing to close again comes first."""

    def page(scheme: str) -> Opener:
        async def open_page(place: HostPort) -> Door:
            return await http.open(scheme, (place.host, place.port))

        return open_page

    async def play(place: HostPort) -> Door:
        return await rtmp.open(place.host, place.port)

    async def play_tls(place: HostPort) -> Door:
        await rtmp_tls.refresh()
        return await rtmp.open_tls(place.host, place.port, rtmp_tls.context)

    return {
        "rtmp": play,
        "rtsp": rtsp.open,
        "onvif": onvif.open,
        "https": page("https"),
        "http": page("http"),
        "rtmps": play_tls,
    }
