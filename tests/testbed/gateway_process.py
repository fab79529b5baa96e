"""Runs the gateway as users do, as a process of its own, and asks it what they can ask."""

from __future__ import annotations

import base64
import json
import re
import signal
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from child import ROOT, Child, free_port, until

PASSWORD = "test-bed-password-1"
READY_S = 60.0
ASK_S = 10.0
SHOWN = ("live",)
STARTED: WeakSet[GatewayProcess] = WeakSet()
"""Whoever is still held by a test or a fixture; a test that fails shows what they said (`conftest`)."""


class GatewayProcess:
    """One `gateway run`. `cameras` is the section of config.yaml as a mapping; `settings` are other sections."""

    def __init__(
        self,
        folder: Path,
        cameras: Mapping[str, Any],
        settings: Mapping[str, Any] | None = None,
        *,
        wait: bool = True,
        enter: Sequence[str] = (),
    ) -> None:
        """`enter` stands before the command: what takes it to another host."""
        self.folder = folder
        self._enter = list(enter)
        self.ports = {name: free_port() for name in ("https", "http", "rtmp", "rtsp")}
        self.settings: dict[str, Any] = {
            "listen": {name: f"127.0.0.1:{port}" for name, port in self.ports.items()},
            "data_dir": str(folder / "data"),
            "discovery": {"enabled": False},
            **(settings or {}),
        }
        self.config = folder / "config.yaml"
        self.write(cameras)
        self._runs = 0
        self.child = self.start(wait=wait)

    def write(self, cameras: Mapping[str, Any]) -> None:
        """Write config.yaml. JSON is YAML."""
        text = json.dumps({**self.settings, "cameras": dict(cameras)}, indent=1, ensure_ascii=False)
        self.config.write_text(text.replace("${", "$${"), encoding="utf-8")

    def start(self, *, wait: bool = True) -> Child:
        """Start it; with `wait`, until it says that it is ready."""
        self._runs += 1
        self.child = Child(
            [*self._enter, sys.executable, "-m", "gateway.cli", "run", "-c", str(self.config)],
            self.folder / f"gateway-{self._runs}.log",
            {"GATEWAY_ADMIN_PASSWORD": PASSWORD, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        )
        STARTED.add(self)
        if wait:
            until(lambda: self.ready() or not self.child.running, READY_S, f"ready\n{self.child.text}")
            assert self.child.running, self.child.text
        return self.child

    def wait_ready(self, timeout_s: float) -> None:
        """Until it says that it is ready."""
        until(lambda: self.ready() or not self.child.running, timeout_s, f"ready\n{self.child.text}")
        assert self.child.running, self.child.text

    @property
    def log(self) -> str:
        """Its output so far."""
        return self.child.text

    def ready(self) -> bool:
        """What /readyz says."""
        try:
            return self.get("/readyz")[0] == 200
        except OSError:
            return False

    def get(self, path: str, scheme: str = "http", *, login: bool = True) -> tuple[int, bytes]:
        """Status and body of a GET as admin, or as nobody."""
        return self.fetch(f"{scheme}://127.0.0.1:{self.ports[scheme]}{path}", login=login)

    @staticmethod
    def fetch(url: str, *, login: bool = True) -> tuple[int, bytes]:
        """Status and body of a GET as admin, or as nobody."""
        request = urllib.request.Request(url)
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode())
        context = ssl._create_unverified_context() if url.startswith("https:") else None
        try:
            with urllib.request.urlopen(request, timeout=ASK_S, context=context) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def api(self, path: str = "cameras") -> Any:
        """The JSON of /api/v1/`path`."""
        status, body = self.get(f"/api/v1/{path}")
        assert status == 200, (status, body)
        return json.loads(body)

    def camera(self, camera_id: str) -> Any:
        """One camera as the API shows it."""
        return self.api(f"cameras/{camera_id}")

    def states(self) -> dict[str, str]:
        """Camera id to state."""
        return {camera["id"]: camera["state"] for camera in self.api()["cameras"]}

    def wait_state(self, camera_id: str, state: str | tuple[str, ...], timeout_s: float) -> Any:
        """The camera once it is in (one of) the state(s)."""
        wanted = (state,) if isinstance(state, str) else state
        seen: dict[str, Any] = {}

        def look() -> bool:
            seen.clear()
            seen.update(self.camera(camera_id))
            return seen["state"] in wanted

        try:
            until(look, timeout_s, f"{camera_id} {'/'.join(wanted)}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {seen.get('state')}: {seen.get('reason')}") from None
        return dict(seen)

    def wait_live(self, *camera_ids: str, timeout_s: float = 25.0) -> None:
        """Until all of them are live."""
        for camera_id in camera_ids:
            self.wait_state(camera_id, SHOWN, timeout_s)

    def playlist(self, camera_id: str) -> str:
        """The media playlist."""
        return self.get(f"/hls/{camera_id}/live.m3u8")[1].decode()

    def last_segment(self, camera_id: str) -> int:
        """Media sequence number of the newest whole segment; -1 without one."""
        text = self.playlist(camera_id)
        first = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
        count = text.count("#EXTINF")
        return int(first[1]) + count - 1 if first and count else -1

    def hls(self, camera_id: str) -> str:
        """Address for players that take a login in the URL."""
        return f"http://admin:{quote(PASSWORD)}@127.0.0.1:{self.ports['http']}/hls/{camera_id}/index.m3u8"

    def rtmp(self, camera_id: str) -> str:
        """Address with the login that an RTMP player can give."""
        return f"rtmp://127.0.0.1:{self.ports['rtmp']}/live/{camera_id}?user=admin&pass={quote(PASSWORD)}"

    def rtsp(self, stream: str, login: str = "") -> str:
        """Address over RTSP; `login` is `user:password@`."""
        return f"rtsp://{login}127.0.0.1:{self.ports['rtsp']}/live/{stream}"

    def reload(self) -> None:
        """SIGHUP, and wait until it was heard."""
        before = self.log.count("configuration reloaded") + self.log.count("was not changed")
        self.child.send(signal.SIGHUP)
        until(lambda: self.log.count("configuration reloaded") + self.log.count("was not changed") > before, 5, "reload")

    def terminate(self, timeout_s: float = 20.0) -> tuple[int, float]:
        """SIGTERM: (exit code, seconds it took)."""
        began = time.monotonic()
        self.child.send(signal.SIGTERM)
        code = self.child.wait(timeout_s)
        return code, time.monotonic() - began

    def end(self) -> None:
        """Make sure that it is gone."""
        self.child.end()
