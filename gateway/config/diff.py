"""What a reload has to do to get from one configuration to the next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from gateway.config.model import Camera, Config


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Camera ids in the order of the configuration they stand in, and dotted keys of everything else that changed."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Cameras that are opened anew; their viewers stay."""
    pushes: tuple[str, ...] = ()
    """Cameras that go on as they are and are pushed elsewhere from now on."""
    adjusted: tuple[str, ...] = ()
    """Cameras that go on with their session: another name, group, timeout, or whatever else needs no new one."""
    settings: tuple[str, ...] = ()
    """Keys outside of the cameras that are applied."""
    restart_needed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


APPLIED = frozenset(
    {
        "site",
        "listen",
        "tls",
        "reload",
        "discovery",
        "rtsp",
        "hls",
        "rtmp",
        "auth",
        "watch",
        "onvif",
        "views",
        "users",
        "metrics",
        "incidents",
        "webhooks",
    }
)
"""What `gateway.reload` applies. Everything else is reported as needing a restart, so that nothing is forgotten in silence;
that is `data_dir`, where the lock, the secrets and all that is remembered are."""
_NOT_SETTINGS = frozenset({"cameras", "warnings"})


def diff(old: Config, new: Config) -> ConfigDiff:
    """Compare two configurations, whose cameras have the logins to be used (`account.with_login`)."""
    before = {camera.id: camera for camera in old.cameras}
    after = {camera.id: camera for camera in new.cameras}
    other_transport = old.rtsp.transport is not new.rtsp.transport
    other_client = old.rtsp.client is not new.rtsp.client
    other_timeouts = replace(old.rtsp, transport=new.rtsp.transport, client=new.rtsp.client) != new.rtsp

    def session_differs(camera: Camera) -> bool:
        was = before[camera.id]
        inherited = (other_transport and camera.transport is None) or (other_client and camera.client is None)
        return _as(was, camera) != camera or (inherited and camera.publish is None)

    def adjusts(was: Camera, now: Camera) -> bool:
        return replace(was, push=now.push) != now or (other_timeouts and now.publish is None)

    kept = [camera for camera in new.cameras if camera.id in before]
    changed = tuple(camera.id for camera in kept if session_differs(camera))
    going_on = [(before[camera.id], camera) for camera in kept if camera.id not in changed]
    keys = _changed_keys(old, new)
    return ConfigDiff(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=changed,
        pushes=tuple(now.id for was, now in going_on if was.push != now.push),
        adjusted=tuple(now.id for was, now in going_on if adjusts(was, now)),
        settings=tuple(key for key in keys if key.partition(".")[0] in APPLIED),
        restart_needed=tuple(key for key in keys if key.partition(".")[0] not in APPLIED),
    )


def applicable(old: Config, new: Config) -> Config:
    """`new` as it can be had without a restart. The next comparison then names again what still needs one."""
    return replace(new, **{field.name: getattr(old, field.name) for field in fields(new) if _needs_restart(field.name)})


def _needs_restart(section: str) -> bool:
    return section not in APPLIED and section not in _NOT_SETTINGS


def _as(camera: Camera, new: Camera) -> Camera:
    """`camera` with everything of `new` that concerns neither its session nor what it sends."""
    return replace(
        camera,
        name=new.name,
        group=new.group,
        h265=new.h265,
        push=new.push,
        events=new.events,
        sub_policy=new.sub_policy,
    )


def _changed_keys(old: Config, new: Config) -> list[str]:
    keys = []
    for section in fields(new):
        was, now = getattr(old, section.name), getattr(new, section.name)
        if section.name in _NOT_SETTINGS or was == now:
            continue
        keys += _keys_below(section.name, was, now) if is_dataclass(now) else [section.name]
    return keys


def _keys_below(section: str, was: Any, now: Any) -> list[str]:
    return [
        f"{section}.{field.name.removesuffix('_s')}"
        for field in fields(now)
        if getattr(was, field.name) != getattr(now, field.name)
    ]
