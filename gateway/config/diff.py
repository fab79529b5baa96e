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
    relabelled: tuple[str, ...] = ()
    """Cameras that go on as they are under another name, in another group, or with another answer to older players."""
    restart_needed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.pushes or self.relabelled or self.restart_needed)


def diff(old: Config, new: Config) -> ConfigDiff:
    """Compare two configurations. A change of `rtsp` defaults counts as a change of every camera that is pulled."""
    before = {camera.id: camera for camera in old.cameras}
    after = {camera.id: camera for camera in new.cameras}
    pulled_differently = old.rtsp != new.rtsp

    def differs(camera: Camera) -> bool:
        return relabelled(before[camera.id], camera) != camera or (pulled_differently and camera.publish is None)

    def labels(camera: Camera) -> tuple[object, ...]:
        return camera.name, camera.group, camera.h265

    kept = [camera for camera in new.cameras if camera.id in before]
    changed = tuple(camera.id for camera in kept if differs(camera))
    going_on = [(before[camera.id], camera) for camera in kept if camera.id not in changed]
    return ConfigDiff(
        added=tuple(key for key in after if key not in before),
        removed=tuple(key for key in before if key not in after),
        changed=changed,
        pushes=tuple(now.id for was, now in going_on if was.push != now.push),
        relabelled=tuple(now.id for was, now in going_on if labels(was) != labels(now)),
        restart_needed=tuple(_restart_keys(old, new)),
    )


def relabelled(camera: Camera, new: Camera) -> Camera:
    """`camera` with everything of `new` that concerns neither its streams nor what listens to it: no restart for that."""
    return replace(camera, name=new.name, group=new.group, h265=new.h265, push=new.push)


_SECTIONS = ("listen", "discovery", "hls", "rtmp", "onvif")
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
