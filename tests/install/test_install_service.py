"""The systemd unit fits what install.sh lays down, promises only what the gateway does, and locks it in."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/camera-gateway.service"
SCRIPT = (ROOT / "install/service.sh").read_text(encoding="utf-8")
EXPOSURE_AT_MOST = 2.0


def unit() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys are case-sensitive
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return {**parser["Unit"], **parser["Service"]}


def test_paths_and_user_are_those_of_the_installation() -> None:
    service = unit()
    assert service["ExecStart"] == "/opt/camera-gateway/current/.venv/bin/gateway run -c /etc/camera-gateway/config.yaml"
    assert "s|/opt/$SERVICE/current|$RELEASE|g" in SCRIPT
    assert service["User"] == UNIT.stem
    assert f'readonly SERVICE="{UNIT.stem}"' in SCRIPT
    assert f"/var/lib/{service['StateDirectory']}" == "/var/lib/camera-gateway"


def test_it_comes_back_by_itself_for_ever_but_not_with_a_wrong_configuration() -> None:
    service = unit()
    assert (service["Restart"], service["RestartSec"], service["RestartPreventExitStatus"]) == ("always", "2", "2")
    assert (service["KillMode"], service["TimeoutStopSec"]) == ("mixed", "10")
    assert service["StartLimitIntervalSec"] == "0"


def test_a_start_is_given_up_after_the_upgrade_has_judged_it() -> None:
    within = re.search(r"HEALTHY_WITHIN_S:-(\d+)", SCRIPT)
    assert within
    assert int(unit()["TimeoutStartSec"]) > int(within[1])


def test_it_tells_when_it_is_ready_and_is_watched() -> None:
    service = unit()
    assert (service["Type"], service["NotifyAccess"], service["WatchdogSec"]) == ("notify", "main", "30")


def test_reloading_is_a_signal() -> None:
    assert unit()["ExecReload"] == "/bin/kill -HUP $MAINPID"


def test_credentials_are_those_that_the_configuration_names() -> None:
    from gateway.config.secrets import CREDENTIALS_ID

    assert unit()["LoadCredential"] == f"{CREDENTIALS_ID}:/etc/camera-gateway/{CREDENTIALS_ID}"
    assert f'install -d -m 700 "$CONFIG/{CREDENTIALS_ID}"' in SCRIPT


def test_low_ports_are_its_only_privilege() -> None:
    service = unit()
    assert service["AmbientCapabilities"] == service["CapabilityBoundingSet"] == "CAP_NET_BIND_SERVICE"
    assert service["NoNewPrivileges"] == "yes"


def test_it_is_locked_in() -> None:
    service = unit()
    assert service["ProtectSystem"] == "strict"
    for key in ("ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID", "LockPersonality", "MemoryDenyWriteExecute"):
        assert service[key] == "yes"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_calls_its_exposure_small(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
    assert found, answer.stdout + answer.stderr
    with capsys.disabled():
        print(f"\nsystemd-analyze security: {found[1]}")
    assert float(found[1]) <= EXPOSURE_AT_MOST


def test_the_health_page_may_ask_who_keeps_the_clock() -> None:
    """`gateway.box.clock_sync` reads adjtimex(2), which systemd counts among the calls that set the clock."""
    lines = [line.partition("=")[::2] for line in UNIT.read_text(encoding="utf-8").splitlines() if "=" in line]
    assert ("ProtectClock", "yes") not in lines
    filters = [value for key, value in lines if key == "SystemCallFilter"]
    assert filters[-1].split() == ["adjtimex", "clock_adjtime"], "what a later line says counts"
    assert "CAP_SYS_TIME" not in dict(lines)["CapabilityBoundingSet"]


def test_adopted_cameras_can_be_written_down() -> None:
    assert unit()["ReadWritePaths"] == "-/etc/camera-gateway/conf.d"
    assert 'install -d -m 770 -g "$SERVICE" "$CONFIG/conf.d"' in SCRIPT


def test_the_shipped_configuration_has_the_line_that_the_service_changes() -> None:
    assert "\n#data_dir: data\n" in (ROOT / "config.yaml").read_text(encoding="utf-8")


def test_every_part_of_a_release_is_here() -> None:
    parts = re.search(r'RELEASE_PARTS="(.*)"', SCRIPT)
    assert parts
    assert all((ROOT / part).exists() for part in parts[1].split())
