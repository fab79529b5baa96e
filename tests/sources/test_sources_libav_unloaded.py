"""libavcodec costs the box 18 to 30 MB: the gateway starts and pulls cameras without it."""

import subprocess
import sys

ASK = (
    "import sys; from gateway import cli, run, service; from gateway.sources import rtsp, own_session; "
    "cli._parser(['run']); print('av' in sys.modules)"
)


def test_nothing_that_every_gateway_needs_loads_libavcodec():
    asked = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, timeout=60, check=True)
    assert asked.stdout.strip() == "False"
