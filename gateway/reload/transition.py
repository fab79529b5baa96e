"""Takes the running gateway from one configuration to the next. Event loop only.

What can fail comes first: the certificate, then the ports, all of them or none. After that nothing is refused any more, and
every part is told its new settings; parts whose settings are the same are left alone.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace

from gateway.config.diff import ConfigDiff, applicable, diff
from gateway.config.model import Config, Discovery, HostPort
from gateway.doors import Doors
from gateway.errors import ListenError
from gateway.hls.server import HlsService, HlsSettings
from gateway.http.access import Access
from gateway.http.listeners import HttpListeners
from gateway.http.tls_files import OwnPair, Served
from gateway.nvr import onvif_device
from gateway.nvr.logins import Logins
from gateway.nvr.onvif_device import OnvifDevice
from gateway.roster import Roster
from gateway.rtmp.server import RtmpServer
from gateway.rtmp.tls import ServerTls
from gateway.sources.account import with_login
from gateway.sources.whereabouts import Whereabouts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a configuration is told to."""

    access: Access
    certificate: Served
    rtmp_tls: ServerTls
    doors: Doors
    http: HttpListeners
    hls: HlsService
    rtmp: RtmpServer
    onvif: OnvifDevice
    logins: Logins
    roster: Roster
    where: Whereabouts
    search: Callable[[Discovery], None]
    """Search the network like this from now on."""
    say: Callable[[Config], None]
    """Let pages and API speak of this configuration."""


def wanted_doors(config: Config) -> dict[str, HostPort | None]:
    """Where to listen, by scheme."""
    listen = config.listen
    return {
        "https": listen.https,
        "http": listen.http,
        "rtmp": listen.rtmp,
        "rtmps": listen.rtmps,
        "rtsp": listen.rtsp,
        "onvif": config.onvif.listen if config.onvif.enabled else None,
    }


def own_pair(config: Config) -> OwnPair | None:
    """The certificate that the user brings, if he does."""
    tls = config.tls
    return OwnPair(tls.certificate, tls.key or tls.certificate) if tls.certificate is not None else None


async def go_over(parts: Parts, old: Config, wanted: Config) -> tuple[Config, ConfigDiff]:
    """The configuration in effect from now on, and what changed. Raises ListenError and OSError: nothing has changed."""
    change = diff(_with_logins(old), _with_logins(wanted))
    new = applicable(old, wanted)
    await _listen(parts, old, new)
    await _show_certificate(parts)
    _tell(parts, old, new)
    if any(key.startswith("onvif.") or key == "site" for key in change.settings):
        await _be_device(parts, new)
    _cameras(parts, new, change)
    parts.say(new)
    parts.access.audit.record("reload", "", "")
    return new, change


async def _listen(parts: Parts, old: Config, new: Config) -> None:
    try:
        await asyncio.to_thread(parts.certificate.use, own_pair(new))
    except OSError as error:
        raise ListenError(f"tls.certificate: {error}") from error
    try:
        await parts.doors.change(wanted_doors(new))
    except BaseException:
        await asyncio.to_thread(parts.certificate.use, own_pair(old))
        raise


async def _show_certificate(parts: Parts) -> None:
    """Take up a certificate that was replaced on the disk. What is wrong with it is no reason to stop here."""
    try:
        await parts.http.refresh()
        if parts.doors.port("rtmps") is not None:
            await parts.rtmp_tls.refresh()
    except (OSError, ListenError, ssl.SSLError) as error:
        log.error("the certificate could not be renewed: %s", error)


def _tell(parts: Parts, old: Config, new: Config) -> None:
    if old.users != new.users or old.auth != new.auth:
        parts.access.audit.record("users", "", "", names=[user.name for user in new.users])
    parts.access.configure(new)  # also because users are limited to groups, and cameras change theirs
    parts.rtmp.silent_audio = new.rtmp.silent_audio
    if old.hls != new.hls:
        parts.hls.configure(HlsSettings(new.hls.part_s, new.hls.segment_s, new.hls.window_s))
    if replace(old.discovery, credentials=()) != replace(new.discovery, credentials=()):
        parts.search(new.discovery)


async def _be_device(parts: Parts, new: Config) -> None:
    parts.logins.configure(new.onvif)
    parts.onvif.configure(onvif_device.identity_of(new.site, parts.access.installation), parts.logins)
    port = parts.doors.port("onvif")
    await parts.onvif.announce(HostPort(new.onvif.listen.host, port) if port is not None else None)


def _cameras(parts: Parts, new: Config, change: ConfigDiff) -> None:
    roster = parts.roster
    parts.where.configure(new.cameras)
    for camera_id in change.removed:
        roster.remove(camera_id)
    for camera in new.cameras:
        if camera.id in change.added:
            roster.add(camera, new)
        elif camera.id in change.changed:
            roster.replace(camera, new)
        else:
            if camera.id in change.adjusted:
                roster.adjust(camera, new)
            if camera.id in change.pushes:
                roster.repush(camera, new)
    roster.order(new.cameras)


def _with_logins(config: Config) -> Config:
    """Credentials of `discovery` are those of the cameras that use them."""
    known = config.discovery.credentials
    return replace(config, cameras=tuple(with_login(camera, known) for camera in config.cameras))
