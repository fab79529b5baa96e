"""schemathesis reads the document of a running gateway and tries what it describes, and what it does not.

`GATEWAY_FUZZ_EXAMPLES` makes it long (default: a few requests for each address).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from child import Child, free_port, until
from gateway_process import PASSWORD, GatewayProcess

from gateway.simulator.camera import DEFAULT_PASSWORD

EXAMPLES = int(os.environ.get("GATEWAY_FUZZ_EXAMPLES", "4"))
PHASES = "examples,coverage,fuzzing" if EXAMPLES > 4 else "fuzzing"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
SETTINGS = """
[parameters]
"path.camera_id" = "steered"
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 502, 503]
"""
"""502 is the camera's own no, 503 that it is busy: both are declared."""
SIMULATOR_S = 15.0
FUZZ_S = 100.0 if EXAMPLES <= 4 else 3600.0


@pytest.fixture
def steered(tmp_path: Path) -> Iterator[str]:
    """Address of a simulated ONVIF camera that can be turned."""
    port = free_port()
    command = [sys.executable, "-m", "gateway.cli", "simulate", "--cameras", "1", "--base-port", str(port), "--json"]
    camera = Child(command, tmp_path / "camera.log", {"PYTHONUNBUFFERED": "1"})
    try:
        until(lambda: '"onvif"' in camera.text or not camera.running, SIMULATOR_S, "simulated camera")
        found = re.search(r'"onvif": "http://[^"/]*:(\d+)/', camera.text)
        assert found is not None, camera.text
        yield f"127.0.0.1:{found[1]}"
    finally:
        camera.end()


@pytest.mark.timeout(FUZZ_S + 60)
def test_whatever_is_sent_to_the_api_is_answered_as_its_document_says(gateway, steered: str, tmp_path: Path) -> None:
    camera = {"address": steered, "username": "admin", "password": DEFAULT_PASSWORD}
    box: GatewayProcess = gateway({"steered": camera})
    box.wait_live("steered")
    until(lambda: box.get("/api/v1/cameras/steered/ptz")[0] == 200, 10.0, "the camera's abilities")
    url = f"http://127.0.0.1:{box.ports['http']}"
    # Adopting asks whatever address is made up, for seconds each: tests/web has it.
    settings = tmp_path / "schemathesis.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("st")), "--config-file", str(settings), "run", f"{url}/api/v1/openapi.json",
        "--auth", f"admin:{PASSWORD}",
        "-H", f"Origin: {url}", "--checks", ",".join(CHECKS), "--phases", PHASES, "--max-examples", str(EXAMPLES),
        "--workers", "2", "--exclude-path", "/api/v1/discovery/adopt",
        "--seed", "1", "--no-color", "--generation-database", "none",
    ]  # fmt: skip
    fuzz = Child(command, tmp_path / "fuzz.log")
    assert fuzz.wait(FUZZ_S) == 0, fuzz.text
    assert box.get("/readyz")[0] == 200
    assert "Traceback" not in box.log
    assert box.child.running
