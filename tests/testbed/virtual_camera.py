"""One simulated camera with a name of its own: NAME HTTP_PORT [large]. Serial number and endpoint reference follow from it.

Prints one line of JSON when ready: its addresses, and where it takes faults.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys

from gateway.simulator.camera import CameraSpec
from gateway.simulator.simulate import Running, SimulatorSpec, simulate
from gateway.simulator.video_codec import VideoSpec

SMALL = VideoSpec(width=640, height=360, fps=10, gop=10, bitrate=200_000)
LARGE = VideoSpec(width=1280, height=720, fps=15, gop=30, bitrate=3_000_000)
"""More than a line of 1 Mbit/s takes."""
TILE = VideoSpec(width=320, height=180, fps=5, gop=5, bitrate=100_000)


async def main(name: str, http_port: int, size: str) -> None:
    """Until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    video = LARGE if size == "large" else SMALL
    camera = CameraSpec(name=name, host="0.0.0.0", rtsp_port=554, http_port=http_port, main=video, sub=TILE, audio=None)

    def ready(running: Running) -> None:
        print(json.dumps({"control": running.control, "endpoint": running.cameras[0].endpoint}), flush=True)

    await simulate(SimulatorSpec((camera,)), stop=stop, ready=ready)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), "".join(sys.argv[3:])))
