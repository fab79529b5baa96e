"""Asks a camera given by `address` for its streams, over ONVIF. Called by reader threads; blocks for seconds at most."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.config.model import Camera, Credential
from gateway.onvif.resolve import resolve_camera
from gateway.sources.camera import Resolve


def onvif_resolver(credentials: Sequence[Credential]) -> Resolve:
    """A resolver that falls back to the first of the discovery `credentials` for a camera that has none of its own.

    Only the first: every wrong password brings a camera closer to locking its account.
    """

    def resolve(camera: Camera) -> tuple[str, str | None]:
        username, password = camera.username, camera.password
        if username is None and credentials:
            username, password = credentials[0].username, credentials[0].password
        found = resolve_camera(
            camera.address or "",
            username,
            password.reveal() if password is not None else None,
            profile=camera.profile,
            sub_profile=camera.sub_profile,
        )
        return found.main_url, found.sub_url

    return resolve
