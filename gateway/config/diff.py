"""What a reload has to do to get from one configuration to the next. Pure."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from gateway.config.model import Camera, Config


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Camera ids in the order of the configuration they stand in, and dotted keys that only a restart applies."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    pushes: tuple[str, ...] = ()
    """Cameras that go on as they are and are pushed elsewhere from now on."""
    restart_needed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.pushes or self.restart_needed)


def diff(old: Config, new: Config) -> ConfigDiff:
    """Compare two configurations. A change of `rtsp` defaults counts as a change of every camera that is pulled."""
    before = {camera.id: camera for camera in old.cameras}
    after = {camera.id: camera for camera in new.cameras}
    pulled_differently = old.rtsp != new.rtsp

    def differs(camera: Camera) -> bool:
        was = replace(before[camera.id], push=camera.push)
        return was != camera or (pulled_differently and camera.publish is None)

    kept = [camera for camera in new.cameras if camera.id in before]
    changed = tuple(camera.id for camera in kept if differs(camera))
    return ConfigDiff(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=changed,
        pushes=tuple(one.id for one in kept if one.id not in changed and before[one.id].push != one.push),
        restart_needed=tuple(_restart_keys(old, new)),
    )


_SECTIONS = ("listen", "discovery", "hls", "rtmp", "auth", "onvif")
_READ_AT_EVERY_PLAY = {"rtmp.h265"}


def _restart_keys(old: Config, new: Config) -> list[str]:
    keys = [key for key in ("site", "data_dir") if getattr(old, key) != getattr(new, key)]
    for section in _SECTIONS:
        was, now = getattr(old, section), getattr(new, section)
        keys += [
            f"{section}.{field.name.removesuffix('_s')}"
            for field in fields(was)
            if getattr(was, field.name) != getattr(now, field.name) and f"{section}.{field.name}" not in _READ_AT_EVERY_PLAY
        ]
    return keys
