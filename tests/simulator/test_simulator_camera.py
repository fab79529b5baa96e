"""A whole virtual camera against an independent client, FFmpeg's RTSP through PyAV."""

from __future__ import annotations

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable

import av
import pytest

from gateway.media.track import Codec
from gateway.simulator.camera import Auth, CameraSpec, VirtualCamera
from gateway.simulator.clock_code import age_ms, read_clock
from gateway.simulator.faults import Frozen
from gateway.simulator.video_codec import VideoSpec

MAIN = VideoSpec(Codec.H264, 320, 180, 50, 50, 400_000)
SUB = VideoSpec(Codec.H264, 192, 108, 25, 25, 100_000)
QUICK = {"probesize": "32", "analyzeduration": "0"}


def spec(**changes: object) -> CameraSpec:
    return CameraSpec(**({"name": "Test", "main": MAIN, "sub": SUB, "auth": Auth.NONE} | changes))  # type: ignore[arg-type]


def url(camera: VirtualCamera, path: str = "/main", login: str = "") -> str:
    return f"rtsp://{login}127.0.0.1:{camera.rtsp_port}{path}"


def ages(address: str, count: int, transport: str = "tcp") -> list[int]:
    """Milliseconds from the clock in the picture to its arrival, of `count` decoded pictures."""
    found = []
    with av.open(address, options={"rtsp_transport": transport, **QUICK}, timeout=(5, 5)) as container:
        container.streams.video[0].thread_type = "NONE"
        for picture in container.decode(video=0):
            plane = picture.planes[0]
            read = read_clock(memoryview(plane), picture.width, picture.height, plane.line_size)
            assert read is not None
            found.append(age_ms(read, int(time.time() * 1000)))
            if len(found) >= count:
                break
    return found


def with_camera(camera: VirtualCamera, scenario: Callable[[VirtualCamera], Awaitable[None]]) -> None:
    async def run() -> None:
        await camera.start()
        try:
            async with asyncio.timeout(30):
                await scenario(camera)
        finally:
            await camera.stop()

    asyncio.run(run())


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_arrive_with_a_clock_that_is_right(transport: str):
    async def scenario(camera: VirtualCamera) -> None:
        found = await asyncio.to_thread(ages, url(camera), 25, transport)
        # libavformat holds one picture (20 ms) until the next begins; a machine under load is slower still.
        assert -1 <= min(found) < 150

    with_camera(VirtualCamera(spec()), scenario)


@pytest.mark.parametrize("audio", [Codec.AAC, Codec.PCMU, Codec.PCMA, None])
@pytest.mark.parametrize("video", [Codec.H264, Codec.H265])
def test_every_codec_is_declared_and_flows(video: Codec, audio: Codec | None):
    def read(address: str) -> tuple[set[str], set[str]]:
        with av.open(address, options={"rtsp_transport": "tcp", **QUICK}, timeout=(5, 5)) as container:
            declared = {stream.codec_context.name for stream in container.streams}
            seen: set[str] = set()
            for packet in container.demux():
                seen.add(packet.stream.type)
                if len(seen) == len(declared):
                    break
            return declared, seen

    async def scenario(camera: VirtualCamera) -> None:
        declared, seen = await asyncio.to_thread(read, url(camera))
        names = {Codec.H265: "hevc", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}
        expected = {names.get(codec, codec.value) for codec in (video, audio) if codec is not None}
        assert declared == expected
        assert seen == {"video", "audio"} if audio is not None else {"video"}

    with_camera(VirtualCamera(spec(main=VideoSpec(video, 320, 180, 50, 50, 400_000), audio=audio)), scenario)


@pytest.mark.parametrize("auth", [Auth.BASIC, Auth.DIGEST, Auth.BOTH])
def test_only_the_right_password_opens(auth: Auth):
    async def scenario(camera: VirtualCamera) -> None:
        assert await asyncio.to_thread(ages, url(camera, "/sub", "admin:secret@"), 1)
        with pytest.raises(av.HTTPUnauthorizedError):
            await asyncio.to_thread(ages, url(camera, "/sub", "admin:guess@"), 1)

    with_camera(VirtualCamera(spec(auth=auth, password="secret")), scenario)


def test_a_refused_login_and_its_end():
    async def scenario(camera: VirtualCamera) -> None:
        camera.refuse_login(True)
        with pytest.raises(av.HTTPUnauthorizedError):
            await asyncio.to_thread(ages, url(camera, "/sub", "admin:secret@"), 1)
        camera.refuse_login(False)
        assert await asyncio.to_thread(ages, url(camera, "/sub", "admin:secret@"), 1)

    with_camera(VirtualCamera(spec(auth=Auth.DIGEST, password="secret")), scenario)


def test_sub_encoder_sleeps_while_only_main_is_watched(recorder):
    async def scenario(camera: VirtualCamera) -> None:
        await asyncio.to_thread(ages, url(camera), 2)
        main, sub = camera.streams
        assert main.tracks
        assert not sub.tracks

    with_camera(VirtualCamera(spec()), scenario)


class Watcher:
    """A viewer that reads packets in a thread and notes what comes."""

    def __init__(self, address: str) -> None:
        self._address = address
        self.loop = asyncio.get_running_loop()
        self.packets: asyncio.Queue[tuple[str, int | None, int]] = asyncio.Queue()
        self.task = self.loop.create_task(asyncio.to_thread(self._read))

    def _read(self) -> str:
        try:
            with av.open(self._address, options={"rtsp_transport": "tcp", **QUICK}, timeout=(5, 2)) as container:
                for packet in container.demux():
                    note = (packet.stream.type, packet.pts, packet.size)
                    self.loop.call_soon_threadsafe(self.packets.put_nowait, note)
        except av.FFmpegError as error:
            return type(error).__name__
        return "ended"

    async def next(self, kind: str) -> tuple[str, int | None, int]:
        async with asyncio.timeout(5):
            while (note := await self.packets.get())[0] != kind:
                pass
            return note


def test_frozen_video_with_sound_going_on_and_thaw():
    async def scenario(camera: VirtualCamera) -> None:
        watcher = Watcher(url(camera))
        await watcher.next("video")
        camera.freeze(Frozen.VIDEO)
        for _ in range(3):
            await watcher.next("audio")
        while not watcher.packets.empty():
            watcher.packets.get_nowait()
        kinds = {(await watcher.packets.get())[0] for _ in range(5)}
        assert kinds == {"audio"}
        camera.freeze(Frozen.NOTHING)
        await watcher.next("video")
        camera.drop_sessions()
        assert await watcher.task

    with_camera(VirtualCamera(spec(audio=Codec.PCMU)), scenario)


@pytest.mark.parametrize("seconds", [3600.0, -30.0])
def test_timestamps_jump(seconds: float):
    async def scenario(camera: VirtualCamera) -> None:
        watcher = Watcher(url(camera))
        await watcher.next("video")
        _, before, _ = await watcher.next("video")
        camera.jump(seconds)
        assert before is not None
        async with asyncio.timeout(5):
            while True:
                _, pts, _ = await watcher.next("video")
                if pts is not None and abs((pts - before) / 90_000 - seconds) < 3:
                    break
        camera.drop_sessions()
        await watcher.task

    with_camera(VirtualCamera(spec(audio=None)), scenario)


def test_dropped_sessions_end_for_the_viewer_and_can_be_reopened():
    async def scenario(camera: VirtualCamera) -> None:
        watcher = Watcher(url(camera))
        await watcher.next("video")
        assert camera.sessions == 1
        assert camera.drop_sessions() == 1
        await asyncio.wait_for(watcher.task, 5)
        assert await asyncio.to_thread(ages, url(camera), 1)

    with_camera(VirtualCamera(spec()), scenario)


def test_dark_and_back_on_the_same_ports():
    async def scenario(camera: VirtualCamera) -> None:
        told: list[bool] = []
        camera.on_presence = told.append
        watcher = Watcher(url(camera))
        await watcher.next("video")
        await camera.go_dark()
        await asyncio.wait_for(watcher.task, 5)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", camera.rtsp_port)
        with pytest.raises(OSError):
            await asyncio.open_connection("127.0.0.1", camera.http_port)
        await camera.come_back()
        assert await asyncio.to_thread(ages, url(camera), 1)
        assert told == [False, True]

    with_camera(VirtualCamera(spec()), scenario)


def test_new_size_in_mid_stream_reaches_a_viewer_that_stays():
    def widths(address: str, resized: Callable[[], object]) -> list[int]:
        found: list[int] = []
        with av.open(address, options={"rtsp_transport": "tcp", **QUICK}, timeout=(5, 5)) as container:
            container.streams.video[0].thread_type = "NONE"
            for picture in container.decode(video=0):
                if not found:
                    resized()
                if picture.width not in found:
                    found.append(picture.width)
                if len(found) == 2:
                    break
        return found

    async def scenario(camera: VirtualCamera) -> None:
        loop = asyncio.get_running_loop()
        resize = lambda: loop.call_soon_threadsafe(camera.resize, 256, 144)  # noqa: E731 -- a callback for the thread
        assert await asyncio.to_thread(widths, url(camera), resize) == [320, 256]

    with_camera(VirtualCamera(spec()), scenario)


def test_snapshot_asks_for_the_password():
    def fetch(address: str, header: str | None) -> tuple[int, bytes]:
        request = urllib.request.Request(address)
        if header:
            request.add_header("Authorization", header)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, b""

    async def scenario(camera: VirtualCamera) -> None:
        address = f"http://127.0.0.1:{camera.http_port}/snapshot.jpg"
        assert (await asyncio.to_thread(fetch, address, None))[0] == 401
        status, jpeg = await asyncio.to_thread(fetch, address, "Basic YWRtaW46c2VjcmV0")
        assert status == 200
        assert jpeg.startswith(b"\xff\xd8")
        assert (await asyncio.to_thread(fetch, address.replace("snapshot", "other"), None))[0] == 404
        assert (await asyncio.to_thread(fetch, address.replace("snapshot.jpg", "onvif/device_service"), None))[0] == 405

    with_camera(VirtualCamera(spec(auth=Auth.BASIC, password="secret")), scenario)


def test_passwords_stay_out_of_the_specs_text():
    assert "very-secret" not in repr(spec(password="very-secret"))
