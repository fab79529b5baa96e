"""Facts of the machine: disk, memory, load, temperature, power, clock. Read from files of the kernel on the journal's disk
thread, because a disk that dies makes `statvfs` wait. Nothing here raises: what a machine does not tell is None.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.box.clock_sync import ClockSync, read_clock

SYS = Path("/sys")
MEMINFO = Path("/proc/meminfo")
UNDERVOLTED_NOW, THROTTLED_NOW = 0x1, 0x4
"""Bits of the Raspberry Pi's firmware, as `vcgencmd get_throttled` explains them."""
_THROTTLED = ("devices/platform/soc/*/get_throttled", "devices/platform/*/get_throttled")
SANE_CELSIUS = (-40.0, 150.0)
"""Some zones answer 0 or -274 while they sleep."""


@dataclass(frozen=True, slots=True)
class Temperature:
    """One sensor."""

    zone: str
    celsius: float


@dataclass(frozen=True, slots=True)
class Box:
    """The machine at one moment. Sizes in bytes."""

    disk_free: int | None = None
    """On the file system of the data directory, for this user."""
    disk_size: int | None = None
    memory_available: int | None = None
    memory_size: int | None = None
    load: float | None = None
    """Processes that want to run, per CPU, over the last minute."""
    temperatures: tuple[Temperature, ...] = ()
    undervolted: bool | None = None
    throttled: bool | None = None
    clock: ClockSync | None = None

    @property
    def hottest(self) -> Temperature | None:
        """The warmest sensor."""
        return max(self.temperatures, key=lambda one: one.celsius, default=None)


def read_box(data_dir: Path, sys: Path = SYS, meminfo: Path = MEMINFO) -> Box:
    """Look at everything."""
    free, size = _disk(data_dir)
    memory = read_meminfo(meminfo)
    bits = _firmware_bits(sys)
    alarm = _voltage_alarm(sys)
    undervolted = bool(bits & UNDERVOLTED_NOW) if bits is not None else alarm
    return Box(
        disk_free=free,
        disk_size=size,
        memory_available=memory.get("MemAvailable"),
        memory_size=memory.get("MemTotal"),
        load=_load(),
        temperatures=_temperatures(sys),
        undervolted=undervolted,
        throttled=bool(bits & THROTTLED_NOW) if bits is not None else None,
        clock=read_clock(),
    )


def _disk(data_dir: Path) -> tuple[int | None, int | None]:
    try:
        found = os.statvfs(data_dir)
    except OSError:
        return None, None
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize


def read_meminfo(meminfo: Path = MEMINFO) -> dict[str, int]:
    """`MemTotal` and `MemAvailable` in bytes, as far as the kernel tells."""
    found: dict[str, int] = {}
    for line in _text(meminfo).splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if name in ("MemTotal", "MemAvailable") and number and number[0].isdigit():
            found[name] = int(number[0]) * 1024
    return found


def _load() -> float | None:
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except OSError:
        return None


def _temperatures(sys: Path) -> tuple[Temperature, ...]:
    found: dict[str, float] = {}
    for zone in sorted(sys.glob("class/thermal/thermal_zone*")):
        text = _text(zone / "temp").strip()
        if not text.lstrip("-").isdigit():
            continue
        celsius = int(text) / 1000
        if SANE_CELSIUS[0] < celsius < SANE_CELSIUS[1]:
            name = _text(zone / "type").strip() or zone.name
            found[name] = max(celsius, found.get(name, celsius))
    return tuple(Temperature(name, celsius) for name, celsius in found.items())


def _firmware_bits(sys: Path) -> int | None:
    for pattern in _THROTTLED:
        for file in sys.glob(pattern):
            try:
                return int(_text(file).strip(), 16)
            except ValueError:
                continue
    return None


def _voltage_alarm(sys: Path) -> bool | None:
    """The kernel's own driver (raspberrypi-hwmon) raises an alarm while the supply is below 4.63 V."""
    for name in sys.glob("class/hwmon/hwmon*/name"):
        if _text(name).strip() == "rpi_volt":
            text = _text(name.parent / "in0_lcrit_alarm").strip()
            return text != "0" if text else None
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
