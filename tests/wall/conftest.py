"""A stand-in for the gateway: real templates and scripts, an API the test writes, and live HLS made by ffmpeg.

Every process and server started here is ended by its fixture.
"""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "testbed"))
STATIC = ROOT / "web" / "static"
HLS_LIBRARY = "vendor/hls.light.min.mjs"
CODECS = "avc1.42C00D"
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "media-src 'self' blob:; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'"
)
TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mp4": "video/mp4",
    ".m4s": "video/mp4",
    ".jpg": "image/jpeg",
}
FIRST_PLAYLIST_S = 15.0
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class LiveSource:
    """An ffmpeg that writes live fMP4 HLS into a directory, in real time, with PROGRAM-DATE-TIME."""

    def __init__(self, directory: Path, pattern: str = "testsrc2=size=320x180:rate=10") -> None:
        self.directory = directory
        self.pattern = pattern
        self._run = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts, or starts again: the second run goes on in the same playlist after a DISCONTINUITY."""
        self._run += 1
        self.directory.mkdir(parents=True, exist_ok=True)
        playlist = self.directory / "live.m3u8"
        before = playlist.stat().st_mtime_ns if playlist.exists() else 0
        self._process = subprocess.Popen(
            [
                "ffmpeg",
                "-nostdin",
                "-loglevel",
                "error",
                "-re",
                "-f",
                "lavfi",
                "-i",
                self.pattern,
                "-c:v",
                "libx264",
                "-preset",
                "ultrafast",
                "-tune",
                "zerolatency",
                "-profile:v",
                "baseline",
                "-pix_fmt",
                "yuv420p",
                "-threads",
                "1",
                "-g",
                "5",
                "-f",
                "hls",
                "-hls_time",
                "0.5",
                "-hls_list_size",
                "10",
                "-hls_segment_type",
                "fmp4",
                "-hls_flags",
                "delete_segments+program_date_time+append_list+discont_start+omit_endlist+temp_file",
                "-hls_fmp4_init_filename",
                f"init{self._run}.mp4",
                "-hls_segment_filename",
                str(self.directory / f"run{self._run}-%d.m4s"),
                str(playlist),
            ]
        )
        deadline = time.monotonic() + FIRST_PLAYLIST_S
        while not playlist.exists() or playlist.stat().st_mtime_ns == before:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("ffmpeg wrote no playlist")
            time.sleep(0.05)

    def freeze(self) -> None:
        """The camera stops sending; the playlist stays as it is."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def camera(camera_id: str, name: str, **changes: Any) -> dict[str, Any]:
    """A live camera with one H.264 stream as the API describes it."""
    return {
        "id": camera_id,
        "name": name,
        "state": "live",
        "since": time.time() - 600,
        "reason": "",
        "code": "",
        "next_retry": None,
        "picture_at": time.time(),
        "streams": [stream(camera_id)],
        "urls": {},
        **changes,
    }


def stream(stream_id: str, **changes: Any) -> dict[str, Any]:
    """One stream as the API describes it."""
    return {
        "id": stream_id,
        "codec": "h264",
        "codecs": CODECS,
        "width": 320,
        "height": 180,
        "fps": 10.0,
        "audio": None,
        "audio_note": "",
        "bitrate": 200000.0,
        "keyframe_interval": 0.5,
        "viewers": {"rtmp": 0, "hls": 0, "ws": 0},
        "state": "live",
        "reason": "",
        "on_demand": False,
        **changes,
    }


class FakeGateway:
    """Serves the pages, `cameras` as the API, and the files of `media` (stream id to directory) as HLS."""

    def __init__(self, library: Path, port: int = 0) -> None:
        self.cameras: list[dict[str, Any]] = []
        self.media: dict[str, Path] = {}
        self.views: list[dict[str, Any]] = []
        self.version = "0.1.0"
        self.site = "Warehouse 3"
        self.login_error = ""
        self.signed_in = True
        self.rights = ["view"]
        self.accepts_token = False
        """Whether `/?token=` makes a session."""
        self.snapshot = b""
        self.hls_requests: list[str] = []
        self.paths: list[str] = []
        """Everything that was asked for, with its query."""
        self.templates = jinja2.Environment(loader=jinja2.FileSystemLoader(ROOT / "web" / "templates"), autoescape=True)
        self.player_file = library
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gateway.paths.append(self.path)
                gateway.answer(self, urlsplit(self.path).path)

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet: the test tells what went wrong."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        context = {"site": self.site, "version": self.version, "csrf": "token", "next": "/", "error": self.login_error}
        context["https_url"] = "https://127.0.0.1:8443/login"
        context["only_admin"] = True
        if path == "/" and "token=the-viewing-token" in handler.path and "kiosk" not in handler.path:
            self.signed_in = self.signed_in or self.accepts_token
            handler.send_response(303)
            handler.send_header("Location", "/" if self.signed_in else "/login?next=/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        elif path in ("/", "/login", "/error"):
            name = {"/": "wall.html", "/login": "login.html", "/error": "error.html"}[path]
            page = self.templates.get_template(name).render(context)
            self._send(handler, 200, "text/html; charset=utf-8", page.encode())
        elif path == "/api/v1/cameras" and self.signed_in:
            report = {
                "site": self.site,
                "version": self.version,
                "now": time.time(),
                "views": self.views,
                "cameras": self.cameras,
            }
            self._send(handler, 200, "application/json", json.dumps(report).encode())
        elif path == "/api/v1/cameras":
            self._send(handler, 401, "application/json", b"{}")
        elif path.startswith("/watch/"):
            stream_id = path.removeprefix("/watch/")
            found = next(one for one in self.cameras if one["id"] == stream_id.removesuffix(".sub"))
            query = urlsplit(handler.path).query
            page = self.templates.get_template("watch.html").render(
                context, camera=found, stream_id=stream_id, query=f"?{query}" if query else ""
            )
            self._send(handler, 200, "text/html; charset=utf-8", page.encode())
        elif path == "/api/v1/me":
            me = {"user": "anna", "rights": self.rights, "cameras": None, "links": True}
            self._send(handler, 200, "application/json", json.dumps(me).encode())
        elif path.endswith("/link"):
            asked = dict(parse_qsl(urlsplit(handler.path).query))
            token = f"link.{asked['lifetime']}.{asked['stream']}"
            self._send(handler, 200, "application/json", json.dumps({"token": token, "expires": 1_900_000_000}).encode())
        elif path == "/api/v1/qr.svg":
            self._send(handler, 200, TYPES[".svg"], b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"/>')
        elif path.endswith("/snapshot.jpg") and self.snapshot:
            self._send(handler, 200, "image/jpeg", self.snapshot)
        elif path.startswith("/hls/"):
            self._hls(handler, *path.removeprefix("/hls/").split("/", 1))
        elif path == f"/static/{HLS_LIBRARY}":
            self._file(handler, self.player_file)
        elif path.startswith("/static/"):
            self._file(handler, STATIC / path.removeprefix("/static/"))
        else:
            self._send(handler, 404, "text/plain", b"not found")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _hls(self, handler: BaseHTTPRequestHandler, stream_id: str, name: str) -> None:
        self.hls_requests.append(f"{stream_id}/{name}")
        directory = self.media.get(stream_id)
        if directory is None:
            self._send(handler, 404, "text/plain", b"no such stream")
        elif name == "index.m3u8":
            index = f'#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="{CODECS}"\nlive.m3u8\n'
            self._send(handler, 200, TYPES[".m3u8"], index.encode())
        else:
            self._file(handler, directory / name)

    def _file(self, handler: BaseHTTPRequestHandler, path: Path) -> None:
        try:
            self._send(handler, 200, TYPES.get(path.suffix, "application/octet-stream"), path.read_bytes())
        except OSError:
            self._send(handler, 404, "text/plain", b"not found")

    def _send(self, handler: BaseHTTPRequestHandler, status: int, content_type: str, body: bytes) -> None:
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", content_type)
            handler.send_header("Content-Length", str(len(body)))
            handler.send_header("Cache-Control", "no-store")
            handler.send_header("X-Content-Type-Options", "nosniff")
            handler.send_header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # the player has dropped the request


def jpeg(directory: Path) -> bytes:
    """One test picture."""
    path = directory / "snapshot.jpg"
    subprocess.run(
        [
            "ffmpeg",
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=640x360",
            "-frames:v",
            "1",
            "-pix_fmt",
            "yuvj420p",
            str(path),
        ],
        check=True,
        timeout=20,
    )
    return io.BytesIO(path.read_bytes()).getvalue()


@pytest.fixture(scope="session")
def hls_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """hls.js as the installation puts it beside the scripts; fetched for the test where there is no installation."""
    installed = STATIC / HLS_LIBRARY
    if installed.exists():
        return installed
    npm = shutil.which("npm")
    assert npm, "web/static/vendor holds no hls.js and there is no npm to fetch it with"
    directory = tmp_path_factory.mktemp("npm")
    install = [npm, "install", "--prefix", str(directory), "hls.js@^1.7.4"]
    subprocess.run(install, check=True, timeout=90, capture_output=True)
    return directory / "node_modules" / "hls.js" / "dist" / installed.name


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module: while its event loop runs, no other test of the session could start a browser."""
    executable = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 720}, locale="en-US")
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def gateway(hls_library: Path) -> Iterator[FakeGateway]:
    fake = FakeGateway(hls_library)
    yield fake
    fake.close()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[LiveSource]:
    live = LiveSource(tmp_path / "hls")
    live.start()
    yield live
    live.stop()


@pytest.fixture
def snapshot_jpeg(tmp_path: Path) -> bytes:
    return jpeg(tmp_path)


@pytest.fixture
def make_camera() -> Any:
    return camera


@pytest.fixture
def make_stream() -> Any:
    return stream
