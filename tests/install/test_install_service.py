"""The systemd unit fits what install.sh lays down, and claims nothing the gateway does not do."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "systemd/camera-gateway.service"


def unit() -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]  # systemd's keys are case-sensitive
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return dict(parser["Service"])


def constant(name: str) -> str:
    found = re.search(rf'^readonly {name}="(.*)"', (ROOT / "install.sh").read_text(encoding="utf-8"), re.MULTILINE)
    assert found
    return found[1]


def test_paths_and_user_are_those_of_the_installation() -> None:
    service = unit()
    program = f"{constant('SERVICE_HOME')}/.venv/bin/gateway"
    assert service["ExecStart"] == f"{program} run -c {constant('SERVICE_CONFIG')}/config.yaml"
    assert service["User"] == constant("SERVICE") == UNIT.stem
    assert f"/var/lib/{service['StateDirectory']}" == constant("SERVICE_DATA")


def test_it_comes_back_by_itself_but_not_with_a_wrong_configuration() -> None:
    service = unit()
    assert (service["Restart"], service["RestartSec"], service["RestartPreventExitStatus"]) == ("always", "2", "2")
    assert (service["KillMode"], service["TimeoutStopSec"]) == ("mixed", "10")


def test_it_is_locked_in() -> None:
    service = unit()
    assert service["ProtectSystem"] == "strict"
    for key in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "PrivateDevices", "RestrictSUIDSGID", "LockPersonality"):
        assert service[key] == "yes"


def test_adopted_cameras_can_be_written_down() -> None:
    folder = f"{constant('SERVICE_CONFIG')}/conf.d"
    assert unit()["ReadWritePaths"] == f"-{folder}"
    script = (ROOT / "install.sh").read_text(encoding="utf-8")
    assert 'install -d -m 770 -g "$SERVICE" "$SERVICE_CONFIG/conf.d"' in script


def test_it_promises_no_watchdog_or_notification() -> None:
    assert not {"Type", "WatchdogSec", "NotifyAccess"} & unit().keys()


def test_the_shipped_configuration_has_the_line_that_the_service_changes() -> None:
    assert "\n#data_dir: data\n" in (ROOT / "config.yaml").read_text(encoding="utf-8")
