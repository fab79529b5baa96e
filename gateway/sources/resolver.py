"""Asks a camera given by `address` for its streams, over ONVIF. Called by reader threads; blocks for seconds at most."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.config.model import Camera
from gateway.onvif.resolve import resolve_camera
from gateway.sources.camera import Resolve


def onvif_resolver(known_xaddrs: Callable[[Camera], Sequence[str]] = lambda camera: ()) -> Resolve:
    """A resolver that tries first where discovery has seen the camera. `known_xaddrs` is called by reader threads."""

    def resolve(camera: Camera) -> tuple[str, str | None]:
        found = resolve_camera(
            camera.address or "",
            camera.username,
            camera.password.reveal() if camera.password is not None else None,
            profile=camera.profile,
            sub_profile=camera.sub_profile,
            known_xaddrs=known_xaddrs(camera),
        )
        return found.main_url, found.sub_url

    return resolve
