"""The end is the same however often it is asked for."""

from __future__ import annotations

import signal
import time

import pytest
from gateway_process import GatewayProcess


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_being_asked_again_and_again_ends_it_once_and_well(tmp_path, number):
    """It was killed by the second, or complained about the closed loop's wakeup socket."""
    gateway = GatewayProcess(tmp_path, {"yard": {"rtsp": "rtsp://127.0.0.1:1/live"}})
    try:
        for _ in range(4000):
            if not gateway.child.running:
                break
            gateway.child.send(number)
            time.sleep(0.002)
        assert gateway.child.wait(10) == 0
        assert "wakeup" not in gateway.log
        assert "Traceback" not in gateway.log
        assert gateway.log.rstrip().endswith("stopped")
    finally:
        gateway.end()
