"""What the box tells about itself, from the files that kernels write."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.box.clock_sync import read_clock
from gateway.box.facts import Temperature, read_box
from gateway.health.process import read_process


def write(root: Path, name: str, text: str) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_raspberry_pi_tells_its_heat_and_its_weak_power(tmp_path):
    write(tmp_path, "class/thermal/thermal_zone0/temp", "81234\n")
    write(tmp_path, "class/thermal/thermal_zone0/type", "cpu-thermal\n")
    write(tmp_path, "devices/platform/soc/soc:firmware/get_throttled", "50005\n")
    box = read_box(tmp_path, tmp_path)
    assert box.temperatures == (Temperature("cpu-thermal", 81.234),)
    assert box.hottest == box.temperatures[0]
    assert (box.undervolted, box.throttled) == (True, True)


def test_bits_of_the_past_are_no_trouble_now(tmp_path):
    write(tmp_path, "devices/platform/soc/soc:firmware/get_throttled", "50000\n")
    box = read_box(tmp_path, tmp_path)
    assert (box.undervolted, box.throttled) == (False, False)


@pytest.mark.parametrize(("alarm", "expected"), [("1\n", True), ("0\n", False)])
def test_the_kernels_own_voltage_alarm_is_read_where_the_firmware_has_no_file(tmp_path, alarm, expected):
    write(tmp_path, "class/hwmon/hwmon0/name", "cpu_thermal\n")
    write(tmp_path, "class/hwmon/hwmon1/name", "rpi_volt\n")
    write(tmp_path, "class/hwmon/hwmon1/in0_lcrit_alarm", alarm)
    assert read_box(tmp_path, tmp_path).undervolted is expected


def test_sensors_that_sleep_or_lie_are_left_out_and_equal_ones_give_the_warmest(tmp_path):
    for number, (text, kind) in enumerate(
        (("-274000", "x"), ("garbage", "y"), ("", "z"), ("40000", "core"), ("55000", "core"))
    ):
        write(tmp_path, f"class/thermal/thermal_zone{number}/temp", text)
        write(tmp_path, f"class/thermal/thermal_zone{number}/type", kind)
    assert read_box(tmp_path, tmp_path).temperatures == (Temperature("core", 55.0),)


def test_a_machine_without_anything_answers_all_the_same(tmp_path):
    box = read_box(tmp_path / "gone", tmp_path, tmp_path / "meminfo")
    assert (box.disk_free, box.memory_size, box.temperatures, box.undervolted) == (None, None, (), None)


def test_this_machine_has_a_disk_memory_a_clock_and_this_process(tmp_path):
    box = read_box(tmp_path)
    assert box.disk_free is not None
    assert box.disk_size is not None
    assert 0 < box.disk_free <= box.disk_size
    assert box.memory_size is not None
    assert box.memory_size > 10**8
    clock = read_clock()
    assert clock is not None
    assert clock.error_s >= 0
    process = read_process()
    assert 10**7 < process.resident < process.virtual
    assert process.threads >= 1
    assert 3 <= process.open_fds <= process.max_fds
