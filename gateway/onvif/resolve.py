"""From a camera's address to its stream URLs, in one call for the sources. Blocking; worker threads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.camera_tls import ANYBODY, CameraTrust
from gateway.errors import NoVideo, Unreachable
from gateway.onvif.client import OnvifClient
from gateway.onvif.deadline import Deadline
from gateway.onvif.media import DeviceDescription, Profile, choose_profiles
from gateway.onvif.soap import Credentials
from gateway.onvif.transport import Transport

log = logging.getLogger(__name__)

RESOLVE_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class ResolvedCamera:
    """Where a camera's pictures are. The URLs hold no credentials."""

    main_url: str
    sub_url: str | None
    main_profile: Profile
    sub_profile: Profile | None
    description: DeviceDescription


def resolve_camera(
    address: str,
    username: str | None,
    password: str | None,
    *,
    profile: str | None = None,
    sub_profile: str | None = None,
    known_xaddrs: Sequence[str] = (),
    deadline_s: float = RESOLVE_DEADLINE_S,
) -> ResolvedCamera:
    """Ask the camera at `address` for its two streams. `profile` and `sub_profile` are tokens that override the choice.

    Raises the leaves of `gateway.errors.SourceError` within about `deadline_s` seconds; Unreachable also for an
    `address` that is none, so that a reader thread needs to know one kind of error only.
    """
    try:
        camera = client_for(address, username, password, known_xaddrs=known_xaddrs, deadline_s=deadline_s)
    except ValueError as error:
        raise Unreachable(str(error)) from None
    with camera as client:
        return streams_of(client, profile, sub_profile)


def client_for(
    address: str,
    username: str | None,
    password: str | None,
    *,
    known_xaddrs: Sequence[str] = (),
    deadline_s: float | None = RESOLVE_DEADLINE_S,
    before_password: Callable[[str], None] | None = None,
    transport: Transport | None = None,
    trust: CameraTrust = ANYBODY,
) -> OnvifClient:
    """A client with `deadline_s` seconds for all its questions together; None: each has its own time.

    Raises ValueError for an `address` that is none.
    """
    credentials = Credentials(username or "", password or "") if username is not None else None
    return OnvifClient(
        address,
        credentials,
        known_xaddrs=known_xaddrs,
        deadline=Deadline(deadline_s) if deadline_s is not None else None,
        transport=transport,
        before_password=before_password,
        trust=trust,
    )


def streams_of(client: OnvifClient, profile: str | None = None, sub_profile: str | None = None) -> ResolvedCamera:
    """Ask for the two streams. Raises the leaves of `gateway.errors.SourceError`."""
    description = client.describe()
    try:
        main, sub = choose_profiles(description.profiles, profile, sub_profile)
    except NoVideo as error:
        raise NoVideo(f"{client.label}: {error}") from None
    main_url = client.stream_uri(main.token)
    sub_url = client.stream_uri(sub.token) if sub is not None else None
    if sub_url == main_url:
        sub, sub_url = None, None  # one stream under two profiles: pulling it twice gains nothing
    log.info(
        "%s: %s %s, main %s %dx%d, sub %s, clock %+d s",
        client.label,
        description.manufacturer,
        description.model,
        main.token,
        main.width,
        main.height,
        sub.token if sub else "none",
        round(client.clock_offset_s),
    )
    return ResolvedCamera(main_url, sub_url, main, sub, description)
