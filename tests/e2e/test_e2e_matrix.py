"""Cameras of all kinds, played by ffmpeg over RTMP and HLS at the same time from one gateway."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import players
import pytest
from child import until
from gateway_process import GatewayProcess
from gst_process import GstCamera
from players import Play
from rtsp_relay import Mode, RtspRelay

pytestmark = pytest.mark.e2e

ODD_PASSWORD = 'p@ss:w/ord#%?&ü !"'
FRAMES_TOLERANCE = 0.02
ROUNDING = 1e-6
START_SKEW_S = 0.5
"""How far sound and picture may begin apart from each other."""
JITTER_STEPS = 6
"""A camera that dates by arrival, on a busy machine, leaves steps of several frame intervals."""
FIRST_SEGMENTS_S = 40.0


@dataclass(frozen=True)
class Kind:
    """A camera of the matrix."""

    options: dict[str, Any]
    fps: int = 25
    audio: bool = False
    settings: dict[str, Any] = field(default_factory=dict)
    in_band_only: bool = False


LOGIN = {"username": "admin", "password": ODD_PASSWORD}
KINDS = {
    "h264-aac": Kind({"audio": "aac"}, audio=True),
    "h264-pcmu": Kind({"audio": "pcmu"}, audio=True),
    "h264-pcma-jitter": Kind({"audio": "pcma", "jitter": True}, audio=True),
    "h264-bframes": Kind({"bframes": 2}),
    "h265": Kind({"video": "h265", "audio": "aac"}, audio=True),
    "slow-long-gop": Kind({"fps": 5, "gop": 50}, fps=5),
    "in-band-only": Kind({}, in_band_only=True),
    "basic-auth": Kind({"auth": "basic", "password": ODD_PASSWORD}, settings=LOGIN),
    "digest-auth": Kind({"auth": "digest", "password": ODD_PASSWORD}, settings=LOGIN),
    "udp": Kind({"protocol": "udp", "audio": "aac"}, audio=True, settings={"transport": "udp"}),
    "tcp-only": Kind({"protocol": "tcp"}),
}


@pytest.fixture(scope="module")
def plays(tmp_path_factory: pytest.TempPathFactory, play_seconds: float) -> Iterator[dict[tuple[str, str], Play]]:
    """Every camera played over both protocols, two cameras at a time so that two cores suffice."""
    folder = tmp_path_factory.mktemp("matrix")
    with ExitStack() as stack:
        cameras: dict[str, Any] = {}
        for name, kind in KINDS.items():
            camera = GstCamera(folder, **kind.options)
            stack.callback(camera.end)
            port = camera.port
            if kind.in_band_only:
                port = stack.enter_context(RtspRelay(camera.port, Mode.STRIP_SPROP)).port
            cameras[name] = {"rtsp": camera.url(port=port), **kind.settings}
        gateway = GatewayProcess(folder, cameras)
        stack.callback(gateway.end)
        gateway.wait_live(*KINDS)
        for name in KINDS:
            until(lambda name=name: gateway.playlist(name).count("#EXTINF") >= 1, FIRST_SEGMENTS_S, f"a segment of {name}")
        jobs: dict[tuple[str, str], Future[Play]] = {}
        with ThreadPoolExecutor(6) as pool:
            for name in KINDS:
                rtmp = players.pyav if name == "h265" else players.ffmpeg  # Debian's ffmpeg 5.1 knows no enhanced RTMP
                jobs[name, "rtmp"] = pool.submit(rtmp, gateway.rtmp(name), play_seconds)
                jobs[name, "hls"] = pool.submit(players.ffmpeg, gateway.hls(name), play_seconds)
        (folder / "api.json").write_text(repr(gateway.api()))
        for (name, protocol), job in jobs.items():
            play = job.result()
            print(
                f"{name:18}{protocol:6}{play.frames:5} of {KINDS[name].fps * play_seconds:5.0f} frames  "
                f"audio {play.audio_seconds:5.1f} s  largest step {play.largest_step_s * 1000:4.0f} ms  "
                f"{','.join(play.codecs):14} {len(play.complaints)} complaints {play.complaints[:2]}"
            )
        assert all(state == "live" for state in gateway.states().values()), gateway.states()
        yield {key: job.result() for key, job in jobs.items()}


@pytest.mark.parametrize("protocol", ["rtmp", "hls"])
@pytest.mark.parametrize("name", KINDS)
def test_every_frame_arrives_in_order_and_with_sound(plays: dict[tuple[str, str], Play], name: str, protocol: str) -> None:
    play, kind = plays[name, protocol], KINDS[name]
    complaints = play.complaints
    if kind.options.get("jitter"):
        # ffmpeg rounds decoded pictures to 1/fps of a second, where two of a jittery camera may fall together
        complaints = [line for line in complaints if not line.startswith("[null @")]
    assert complaints == []
    # The sound of a transcoded track may begin a little before the picture, and a player's seconds begin with it.
    span = max(play.video_pts) - min(play.video_pts) + 1 / kind.fps
    assert span >= play.seconds - START_SKEW_S
    assert abs(play.frames - kind.fps * span) <= max(1.0, FRAMES_TOLERANCE * kind.fps * span) + ROUNDING
    assert play.largest_step_s <= JITTER_STEPS / kind.fps, "pictures are missing in between"
    video = "hevc" if kind.options.get("video") == "h265" else "h264"
    sounds = kind.audio or protocol == "rtmp"  # RTMP has a silent track where the camera has no sound
    assert sorted(play.codecs) == sorted([video, "aac"] if sounds else [video])
    if sounds:
        assert abs(play.audio_seconds - play.seconds) <= START_SKEW_S
