"""Asks a camera given by `address` for its streams, over ONVIF, wherever it is now. Called by reader threads."""

from __future__ import annotations

import concurrent.futures
import logging
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.config.model import Camera
from gateway.errors import SourceError, Unreachable
from gateway.onvif import addresses
from gateway.onvif.client import OnvifClient
from gateway.onvif.media import Profile
from gateway.onvif.resolve import RESOLVE_DEADLINE_S, client_for, streams_of
from gateway.onvif.transport import Transport
from gateway.sources import diagnosis
from gateway.sources.location import Streams
from gateway.sources.whereabouts import Whereabouts

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""To reach the camera before its password goes there; a camera of the LAN accepts within milliseconds."""
HURRY_S = 3.0
HURRY_THREADS = 2
"""Requests for keyframes wait for each other: they are worth little once the next keyframe has come by itself."""


class OnvifFinder:
    """Implements `location.CameraFinder`."""

    def __init__(self, whereabouts: Whereabouts | None = None) -> None:
        self._where = whereabouts if whereabouts is not None else Whereabouts()
        self._errands = concurrent.futures.ThreadPoolExecutor(HURRY_THREADS, thread_name_prefix="onvif keyframe")

    def streams(self, camera: Camera) -> Streams:
        """See `CameraFinder.streams`."""
        client = self.client(camera)
        with client:
            found = streams_of(client, camera.profile, camera.sub_profile)
            host, port = client.place
            self._where.learn(camera, host, port, found.description, client.hardware_addresses)
        return Streams(
            found.main_url,
            found.sub_url,
            confirm=_Confirmation(self._where, camera, found.main_url, port),
            hurry=lambda index: self._hurry(client, found.sub_profile if index else found.main_profile),
        )

    def client(
        self, camera: Camera, *, transport: Transport | None = None, deadline_s: float | None = RESOLVE_DEADLINE_S
    ) -> OnvifClient:
        """A client of the camera, wherever it is now, that gives its password to nobody else. Raises Unreachable.

        Whoever logs in to a camera over ONVIF takes its client from here. Nothing is sent yet.
        """
        place = self._where.place(camera)
        try:
            return client_for(
                place.address,
                camera.username,
                camera.password.reveal() if camera.password is not None else None,
                known_xaddrs=place.xaddrs,
                deadline_s=deadline_s,
                before_password=lambda url: self._admit(camera, url),
                transport=transport,
                trust=camera.trust,
            )
        except ValueError as error:
            raise Unreachable(str(error)) from None

    def address(self, camera: Camera) -> tuple[str, int]:
        """See `CameraFinder.address`."""
        return self._where.host_port(camera)

    def missed(self, camera: Camera) -> None:
        """See `CameraFinder.missed`."""
        self._where.missed(camera)

    def close(self) -> None:
        """Run no more errands."""
        self._errands.shutdown(wait=False, cancel_futures=True)

    def _admit(self, camera: Camera, url: str) -> None:
        address = addresses.split(url)
        self._where.admit(camera, address.host, address.effective_port)

    def _hurry(self, client: OnvifClient, profile: Profile | None) -> None:
        if profile is None:
            return
        try:
            self._errands.submit(_ask_keyframe, client, profile.token)
        except RuntimeError:
            pass  # the gateway stops


@dataclass(frozen=True, slots=True)
class _Confirmation:
    """Looks who is at a stream's address before the password goes there again."""

    where: Whereabouts
    camera: Camera
    url: str
    port: int

    def __call__(self) -> None:
        host = urlsplit(self.url).hostname or ""
        # The kernel's idea of the hardware address is only right once the device has answered.
        if diagnosis.knock(*diagnosis.endpoint(self.url), LOOK_S):
            self.where.admit(self.camera, host, self.port)


def _ask_keyframe(client: OnvifClient, token: str) -> None:
    client.grant(HURRY_S)
    try:
        with client:
            client.set_synchronization_point(token)
    except SourceError as error:
        log.debug("no keyframe on request: %s", error)
