"""Players that are not ours: Shaka at the live edge, GStreamer's two demuxers on classic HLS, and a client of the draft."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from child import until
from gateway_process import PASSWORD, GatewayProcess
from gst_process import GstCamera
from installed import absent
from playlist_linter import Linter
from playwright.sync_api import Page, Request, sync_playwright
from validators import PLAYERS, complaints

pytestmark = pytest.mark.e2e

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--ignore-certificate-errors"]
FPS = 25
SEGMENTS = 4
"""Shaka 5.2.12 looks for captions in up to three segments, and fails when one of them is still open."""
BUFFERED_S = 4.0
SHAKA = PLAYERS / "node_modules/shaka-player/dist/shaka-player.compiled.js"
PLAY = """
async (url) => {
  const video = document.createElement('video');
  video.muted = true;
  document.body.append(video);
  const player = new shaka.Player();
  await player.attach(video);
  player.configure({streaming: {lowLatencyMode: true}});
  window.__played = {errors: [], stalls: 0, video, player};
  player.addEventListener('error', (event) => window.__played.errors.push(event.detail.code));
  player.addEventListener('stalldetected', () => { window.__played.stalls += 1; });
  await player.load(url);
  await video.play();
}
"""
REPORT = """
() => {
  const {video, player, errors, stalls} = window.__played;
  const quality = video.getVideoPlaybackQuality();
  const behind = (Date.now() - player.getPlayheadTimeAsDate().getTime()) / 1000;
  return {at: video.currentTime, frames: quality.totalVideoFrames, errors, stalls, behind};
}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway with one camera, `cam`, whose playlist has `SEGMENTS` whole segments."""
    folder = tmp_path_factory.mktemp("hls")
    camera = GstCamera(folder, audio="aac", fps=FPS)
    try:
        service = GatewayProcess(folder, {"cam": {"rtsp": camera.url()}})
        try:
            service.wait_live("cam")
            until(lambda: service.playlist("cam").count("#EXTINF") >= SEGMENTS, 30, "segments")
            yield service
        finally:
            service.end()
    finally:
        camera.end()


@pytest.fixture
def page(served: GatewayProcess, tmp_path: Path) -> Iterator[Page]:
    """A logged-in page of the gateway that takes foreign scripts."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(tmp_path / "profile"), executable_path=CHROMIUM, headless=True, args=FLAGS, ignore_https_errors=True,
            bypass_csp=True,
        )  # fmt: skip
        opened = context.new_page()
        base = f"https://127.0.0.1:{served.ports['https']}"
        opened.goto(f"{base}/")
        opened.fill("#password", PASSWORD)
        opened.click("#login button[type=submit]")
        opened.wait_for_selector("[data-camera]")
        opened.goto(f"{base}/healthz")  # an empty page of the same origin: the wall's own players are out of the way
        yield opened
        context.close()


def test_shaka_plays_at_the_live_edge_with_hinted_parts(served: GatewayProcess, page: Page, play_seconds: float) -> None:
    if not SHAKA.exists():
        absent("shaka-player is not installed")
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    page.add_script_tag(path=SHAKA)
    page.evaluate(PLAY, f"https://127.0.0.1:{served.ports['https']}/hls/cam/index.m3u8")
    page.wait_for_timeout(3000)
    before = page.evaluate(REPORT)
    page.wait_for_timeout(play_seconds * 1000)
    after = page.evaluate(REPORT)
    print(f"\nshaka: {after['at'] - before['at']:.1f} s played in {play_seconds:.0f} s, {after['behind']:.2f} s behind")
    assert after["errors"] == []
    assert after["at"] - before["at"] > 0.8 * play_seconds
    assert after["frames"] > before["frames"]
    assert after["behind"] < 3
    assert any(re.search(r"_HLS_msn=\d+&_HLS_part=\d+", url) for url in asked), "blocking reload"
    assert any(re.search(r"\.p\d+\.m4s", url) for url in asked), "parts"


@pytest.mark.parametrize("demuxer", ["hlsdemux", "hlsdemux2"])
def test_gstreamer_plays_it_as_classic_hls(demuxer: str, served: GatewayProcess, tmp_path: Path, play_seconds: float) -> None:
    pictures = tmp_path / "pictures.gray"
    url = f"http://127.0.0.1:{served.ports['http']}/hls/cam/index.m3u8?user=admin&pass={quote(PASSWORD)}"
    old = demuxer == "hlsdemux"
    source = "uridecodebin" if old else "uridecodebin3"
    # The older one takes the time in fMP4 for the time since it joined, and would hold the first picture for as long as the
    # stream is old (ffmpeg's own fMP4 likewise, GStreamer 1.22): its pictures are taken as they come.
    sync = "sync=false" if old else "sync=true"
    shown = pictures.open("wb")
    player = subprocess.Popen(
        ["gst-launch-1.0", "-q", "-e", source, f"uri={url}", "caps=video/x-raw", "!", "videoconvert", "!", "videoscale", "!",
         "video/x-raw,format=GRAY8,width=16,height=16", "!", "fdsink", "fd=1", sync],
        stdout=shown, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not pictures.stat().st_size:
            assert player.poll() is None, player.communicate()[1]
            assert time.monotonic() < deadline, "no picture"
            time.sleep(0.05)
        if old:
            time.sleep(BUFFERED_S)  # what is listed comes at once
        began, size = time.monotonic(), pictures.stat().st_size
        time.sleep(play_seconds)
        frames = (pictures.stat().st_size - size) / 256
        seconds = time.monotonic() - began
    finally:
        player.kill()
        shown.close()
        _, said = player.communicate(timeout=10)
    print(f"\n{demuxer}: {frames:.0f} pictures in {seconds:.1f} s")
    assert not said.strip(), said
    assert frames > 0.8 * FPS * seconds


def test_live_playlists_fetched_as_a_player_fetches_them_are_valid(served: GatewayProcess, play_seconds: float) -> None:
    linter, texts = Linter(), []
    began = time.monotonic()
    query = ""
    while time.monotonic() - began < play_seconds:
        status, body = served.get(f"/hls/cam/live.m3u8{query}")
        assert status == 200, body
        texts.append(body.decode())
        now = linter.check(texts[-1])
        msn, _, part = now.hint.rpartition("/")[2].removesuffix(".m4s").partition(".p")
        query = f"?_HLS_msn={msn.removeprefix('s')}&_HLS_part={part}"
    assert len(texts) > 3 * play_seconds, "one for every part"
    assert complaints(texts) == []
