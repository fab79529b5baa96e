"""Every RTMP program people use against one gateway: seven players and five encoders, with five kinds of stream.

Each cell of the two tables is a few seconds of stream (`GATEWAY_E2E_SECONDS`): no picture is missing, all of them decode, those
between B-frames come in their order, and nobody complains about time.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import rtmp_clients
from child import Child
from gateway_process import GatewayProcess
from gst_process import GstCamera
from installed import absent
from rtmp_clients import PLAYERS, PUBLISHERS, Seen, Wish, missing

SECONDS = float(os.environ.get("GATEWAY_E2E_SECONDS", "3"))
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120 + 10 * SECONDS)]

SLACK_S = 20.0
"""An encoder must still send when its player has opened the stream on a busy machine."""
FPS = 25
TOLERANCE = 0.02
KEY = "sesame"
AT_ONCE = 10
"""Clients at the same time: they wait more than they work."""

X265 = "log-level=none:pools=1:keyint=25:min-keyint=25"
HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", X265)


@dataclass(frozen=True)
class Kind:
    """A stream of the matrix."""

    codecs: tuple[str, ...]
    options: tuple[str, ...] = ()
    reordered: int = 0
    """Pictures that ffmpeg's -t, which counts decoding times, cuts off at the end."""

    @property
    def video(self) -> bool:
        return self.codecs != ("aac",)

    @property
    def audio(self) -> bool:
        return "aac" in self.codecs


KINDS = {
    "h264-aac": Kind(("aac", "h264")),
    "h264-only": Kind(("h264",)),
    "sound-only": Kind(("aac",)),
    "h265-aac": Kind(("aac", "hevc"), HEVC),
    "bframes": Kind(("aac", "h264"), ("-preset", "veryfast", "-bf", "3"), reordered=2),
}
LEGACY = "knows no Enhanced RTMP"
CANNOT = {
    ("ffmpeg", "h265-aac"): LEGACY, ("mpv", "h265-aac"): LEGACY, ("vlc", "h265-aac"): LEGACY,
    ("rtmpsink", "h265-aac"): "flvmux 1.22 " + LEGACY, ("rtmp2sink", "h265-aac"): "flvmux 1.22 " + LEGACY,
}  # fmt: skip
PLAYS = [(client, kind) for client in PLAYERS for kind in KINDS if (client, kind) not in CANNOT]
PUBLISHES = [(client, kind) for client in PUBLISHERS for kind in KINDS if (client, kind) not in CANNOT]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An MP4 of each kind, and an FLV beside it."""
    folder = tmp_path_factory.mktemp("clips")

    def make(name: str) -> Path:
        kind = KINDS[name]
        clip = folder / f"{name}.mp4"
        rtmp_clients.encode(clip, *kind.options, seconds=SECONDS + SLACK_S, video=kind.video, audio=kind.audio)
        rtmp_clients.flv_of(clip)
        return clip

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(KINDS, pool.map(make, KINDS), strict=True))


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway with a camera for every stream that is published."""
    names = [*KINDS, "refused", "nobody", *(f"{client}-{kind}" for client, kind in PUBLISHES)]
    cameras = {name: {"publish": {"key": KEY}} for name in names}
    cameras["refused"]["h265"] = "refuse"
    process = GatewayProcess(tmp_path_factory.mktemp("clients"), cameras)
    yield process
    process.end()
    assert not re.search(r" (ERROR|CRITICAL) |Traceback", process.log), process.log


def _place(gateway: GatewayProcess, name: str) -> str:
    return f"rtmp://127.0.0.1:{gateway.ports['rtmp']}/live/{name}?key={KEY}"


def _publish_for_ever(gateway: GatewayProcess, clip: Path, name: str, stack: ExitStack) -> None:
    command = [*PUBLISHERS["obs"](clip, _place(gateway, name)), "--loop"]
    stack.callback(Child(command, gateway.folder / f"{name}.log").end)


@pytest.fixture(scope="module")
def plays(gateway: GatewayProcess, clips: dict[str, Path]) -> Iterator[dict[tuple[str, str], Future[Seen]]]:
    """What each player saw of each stream."""
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        for name, clip in clips.items():
            _publish_for_ever(gateway, clip, name, stack)
        gateway.wait_live(*clips)
        rates = {name: clip.with_suffix(".flv").stat().st_size / (SECONDS + SLACK_S) for name, clip in clips.items()}
        jobs = {
            (client, kind): pool.submit(PLAYERS[client], Wish(gateway.rtmp(kind), SECONDS, rates[kind], KINDS[kind].video))
            for client, kind in PLAYS
            if not missing(client)
        }
        _print(jobs)
        yield jobs


@pytest.fixture(scope="module")
def publishes(gateway: GatewayProcess, clips: dict[str, Path]) -> Iterator[dict[tuple[str, str], Future[Seen]]]:
    """What FFmpeg 8 saw of what each encoder sent."""

    def watch(client: str, kind: str) -> Seen:
        name = f"{client}-{kind}"
        encoder = Child(PUBLISHERS[client](clips[kind], _place(gateway, name)), gateway.folder / f"{name}.log")
        try:
            gateway.wait_live(name)
            seen = rtmp_clients.look(gateway.rtmp(name), SECONDS)
        except Exception as error:
            raise AssertionError(f"{error}; {name} said: {encoder.text}") from error
        finally:
            encoder.end()
        seen.said = encoder.text
        return seen

    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = {(client, kind): pool.submit(watch, client, kind) for client, kind in PUBLISHES if not missing(client)}
        _print(jobs)
        yield jobs


def _print(jobs: dict[tuple[str, str], Future[Seen]]) -> None:
    for (client, kind), job in jobs.items():
        if job.exception() is None:
            seen = job.result()
            print(
                f"{client:10}{kind:11} {','.join(seen.codecs):9} {seen.decoded:4} pictures over {seen.shown_s:5.2f} s, "
                f"sound {seen.heard_s:5.2f} s, largest step {seen.largest_step_s * 1000:3.0f} ms"
            )


def _verdict(seen: Seen, kind: Kind) -> None:
    # a picture without sound may be given a silent track
    assert not seen.codecs or set(kind.codecs) <= set(seen.codecs) <= {*kind.codecs, "aac"}, seen.said
    assert seen.complaints == []
    enough_s = SECONDS * 0.6  # recorders are ended by bytes, and a recording begins with a keyframe, which is large
    if kind.video:
        expected = FPS * seen.shown_s + 1
        assert seen.shown_s >= enough_s, seen.said
        assert abs(seen.decoded - expected) <= max(1.0, TOLERANCE * expected) + kind.reordered
        # a recording that was ended in the middle of a picture ends with half of it
        assert seen.decode_errors <= 1
        assert seen.shown == sorted(set(seen.shown)), "pictures come out of their order"
        sure = seen.shown[: len(seen.shown) - kind.reordered]
        assert all(later - earlier < 1.5 / FPS for earlier, later in itertools.pairwise(sure))
    if kind.audio and seen.heard:
        assert seen.heard_s >= enough_s, seen.said
        assert seen.heard == sorted(set(seen.heard))


@pytest.mark.parametrize(("client", "kind"), PLAYS)
def test_player_gets_every_picture_in_order(plays: dict[tuple[str, str], Future[Seen]], client: str, kind: str) -> None:
    if why := missing(client):
        absent(why)
    seen = plays[client, kind].result()
    _verdict(seen, KINDS[kind])
    assert seen.shown if KINDS[kind].video else seen.heard
    if seen.dts:
        assert seen.first_is_key


@pytest.mark.parametrize(("client", "kind"), PUBLISHES)
def test_what_an_encoder_sends_is_what_is_seen(publishes: dict[tuple[str, str], Future[Seen]], client: str, kind: str) -> None:
    if why := missing(client):
        absent(why)
    seen = publishes[client, kind].result()
    _verdict(seen, KINDS[kind])
    assert seen.codecs
    assert seen.first_is_key or not KINDS[kind].video


def test_encoders_with_a_wrong_key_end_at_once_and_nobody_notices(gateway: GatewayProcess, clips: dict[str, Path]) -> None:
    encoders = {
        client: Child(command(clips["h264-aac"], _place(gateway, "nobody") + "x"), gateway.folder / f"wrong-{client}.log")
        for client, command in PUBLISHERS.items()
        if not missing(client)
    }
    for client, encoder in encoders.items():
        try:
            assert encoder.wait(SLACK_S) != 0, client
        finally:
            encoder.end()
    shown = [client for client, encoder in encoders.items() if "wrong key, or no camera 'nobody'" in encoder.text]
    assert set(shown) == {"ffmpeg", "rtmp2sink", "obs"} & encoders.keys()
    assert gateway.camera("nobody")["reason"] == "waiting for the publisher"
    assert KEY + "x" not in gateway.log


def test_h265_camera_is_seen_by_old_and_new_players_where_its_sub_stream_is_h264(
    gst_camera: Callable[..., GstCamera], tmp_path: Path
) -> None:
    main, sub = gst_camera(video="h265", audio="aac"), gst_camera()
    camera = {"rtsp": main.url(), "sub": sub.url(), "h265": "sub"}
    process = GatewayProcess(tmp_path, {"yard": camera})
    try:
        process.wait_live("yard")
        with ThreadPoolExecutor(2) as pool:
            # the option is for encoders, but FFmpeg tells the server about it when it plays as well
            new = pool.submit(rtmp_clients.look, process.rtmp("yard"), SECONDS, {"rtmp_enhanced_codecs": "hvc1"})
            old = pool.submit(PLAYERS["ffmpeg"], Wish(process.rtmp("yard"), SECONDS, 1.0))
            assert "h264" in old.result().codecs and old.result().decoded >= FPS * SECONDS * 0.9
            assert new.result().codecs == ("aac", "hevc") and new.result().decoded >= FPS * SECONDS * 0.9
        assert "gets yard.sub instead of yard" in process.log
    finally:
        process.end()


@pytest.mark.parametrize("client", ["ffmpeg", "mpv", "rtmpdump"])
def test_player_without_enhanced_rtmp_is_told_so_where_the_camera_says_refuse(
    gateway: GatewayProcess, clips: dict[str, Path], client: str
) -> None:
    if why := missing(client):
        absent(why)
    commands = {
        "ffmpeg": ["ffmpeg", "-hide_banner", "-nostdin", "-i", gateway.rtmp("refused"), "-f", "null", "-"],
        "mpv": ["mpv", "--no-config", "--vo=null", "--ao=null", gateway.rtmp("refused")],
        "rtmpdump": ["rtmpdump", "-v", "-V", "-r", gateway.rtmp("refused"), "-o", "/dev/null"],
    }
    with ExitStack() as stack:
        _publish_for_ever(gateway, clips["h265-aac"], "refused", stack)
        gateway.wait_live("refused")
        said, _ = rtmp_clients.run(commands[client], lambda _: False, merged=True)
        assert b"the stream is H.265, which needs a player with Enhanced RTMP; use HLS or the web page" in said
        gateway.wait_live("refused")
    gateway.wait_state("refused", "offline", 10)
