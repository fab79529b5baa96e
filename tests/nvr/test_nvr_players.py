"""The gateway's streams over RTSP in players and gateways: ffmpeg, GStreamer, and another gateway that pulls from this one."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path
from urllib.parse import quote

import players
import pytest
from child import Child, until
from gateway_process import GatewayProcess

from gateway.http.access import Access

pytestmark = pytest.mark.e2e

PLAY_S = 3.0
USERNAME, PASSWORD = "nvr", "p@ss w/ord?"
"""As in conftest."""
FIRST_PACKET = re.compile(
    r"Timestamps are unset in a packet|Non-monotonous DTS in output stream 1:0; .*current: (?:[12]?\d{1,3}|3[0-5]\d\d);"
)
"""ffmpeg 5.1 dates no packet before the second, guesses that the second is one picture (3600 ticks) later, and says so when it
is not, as sound that begins some milliseconds before makes it. It says so of GStreamer's server too."""
LOGIN = f"{USERNAME}:{quote(PASSWORD, safe='')}@"


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize(("camera", "codecs"), [("front", ("h264", "aac")), ("rear", ("hevc",))])
def test_ffmpeg_plays_without_a_gap(served: GatewayProcess, camera: str, codecs: tuple[str, ...], transport: str) -> None:
    play = players.ffmpeg(served.rtsp(camera, LOGIN), PLAY_S, "-rtsp_transport", transport)
    assert play.codecs == codecs
    assert not [line for line in play.complaints if not FIRST_PACKET.search(line)]
    assert play.largest_step_s < 0.2
    assert len(play.video_pts) >= PLAY_S * 25 * 0.9


@pytest.mark.parametrize("protocols", ["tcp", "udp"])
def test_gstreamer_plays(served: GatewayProcess, protocols: str) -> None:
    source = ["rtspsrc", f"location={served.rtsp('front')}", f"user-id={USERNAME}", f"user-pw={PASSWORD}"]
    chain = ["rtph264depay", "!", "h264parse", "!", "avdec_h264", "!", "identity", "eos-after=40", "!", "fakesink"]
    done = subprocess.run(
        ["gst-launch-1.0", "-e", *source, f"protocols={protocols}", "!", *chain],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert "Got EOS from element" in done.stdout, done.stdout + done.stderr
    assert "ERROR" not in done.stderr


def test_viewers_are_counted_and_an_idle_sub_stream_is_pulled_for_them(served: GatewayProcess, tmp_path: Path) -> None:
    address = served.rtsp("front.sub", LOGIN)
    viewer = Child(["ffmpeg", "-v", "error", "-rtsp_transport", "tcp", "-i", address, "-f", "null", "-"], tmp_path / "viewer")
    try:
        until(lambda: _viewers(served, "front.sub") == 1, 15, "one viewer over RTSP")
    finally:
        viewer.end()
    until(lambda: _viewers(served, "front.sub") == 0, 5, "the viewer has gone")


def test_nobody_else_gets_in(served: GatewayProcess) -> None:
    token = Access.open(served.folder / "data")[0].viewing_token
    for login, query in (("", ""), (f"{USERNAME}:guess@", ""), ("admin:guess@", ""), ("", "?token=guess")):
        done = _describe(served.rtsp("front", login) + query)
        assert "401" in done.stderr, done.stderr
    assert "404" in _describe(served.rtsp("nothing", LOGIN)).stderr
    assert _describe(f"{served.rtsp('front')}?token={token}").stdout.split() == ["h264", "aac"]
    urls = served.camera("front")["urls"]
    assert urls["rtsp_sub"] == served.rtsp("front.sub")
    # the throttle counts the guesses above; a right password is all it takes to be forgiven
    assert _describe(served.rtsp("rear", LOGIN)).stdout.split() == ["hevc"]


def test_another_gateway_pulls_over_onvif_and_over_rtsp(served: GatewayProcess, tmp_path: Path) -> None:
    login = {"username": USERNAME, "password": PASSWORD}
    second = GatewayProcess(
        tmp_path,
        {
            "found": {"address": f"127.0.0.1:{served.ports['onvif']}", **login},
            "rear": {"rtsp": served.rtsp("rear"), **login, "transport": "udp"},
        },
    )
    try:
        second.wait_live("found", "rear")
        first = second.camera("found")["streams"][0]
        assert (first["codec"], first["audio"]) == ("h264", "aac")
        assert second.camera("rear")["streams"][0]["codec"] == "h265"
        play = players.ffmpeg(second.rtmp("found"), PLAY_S)
        assert not play.time_complaints
        steps = [b - a for a, b in itertools.pairwise(sorted(play.video_pts))]
        assert steps
        assert max(steps) < 0.3
    finally:
        second.end()


def _viewers(gateway: GatewayProcess, stream_id: str) -> int:
    streams = {stream["id"]: stream for stream in gateway.camera("front")["streams"]}
    count: int = streams[stream_id]["viewers"]["rtsp"]
    return count


def _describe(url: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-rtsp_transport", "tcp", "-show_entries", "stream=codec_name", "-of", "csv=p=0", url],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert PASSWORD not in re.sub(r"rtsp://\S+", "", done.stderr)
    return done
