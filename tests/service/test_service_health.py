"""Metrics, health and readiness of a running gateway, over HTTP as a monitor asks for them."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.config.model import Camera, Metrics, Secret
from gateway.config.model import Publish as PublishSection
from gateway.media.frame import Frame
from gateway.media.state import State, Status
from gateway.media.track import Codec, Kind, TrackConfig
from gateway.pressure import Level
from gateway.pressure import State as Shortage

ROOT = Path(__file__).parents[2]
VIDEO = TrackConfig(Codec.H264, 90_000, b"\x01", "avc1.42C01E", width=640, height=360)
DOOR = Camera("door", "Front door", publish=PublishSection(Secret("k")))
YARD = Camera("yard", "Yard", rtsp="rtsp://127.0.0.1:1/live", sub="rtsp://127.0.0.1:1/sub")
HIGH_CARDINALITY = {"client", "address", "user", "path", "url", "reason", "session", "agent"}

READY = {"ready": True, "problems": [], "pressure": "normal", "pressure_reason": ""}


def fetch(port, path, *, login="", headers=(), method="GET"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    if login:
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    for name, value in headers:
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def show_pictures(service, count=50):
    """The camera `door` is live and has sent this many pictures."""
    stream = service._streams["door"]
    stream.set_status(Status(State.CONNECTING, 1.0))
    stream.begin(frozenset({Kind.VIDEO}))
    frames = [Frame(VIDEO, n * 3600, n * 3600, 3600, n % 25 == 0, False, n / 25, b"x" * 100) for n in range(count)]
    stream.push(frames)
    stream.set_status(Status(State.LIVE, 2.0))
    return stream


@pytest.fixture
def with_cameras(config):
    return replace(config, cameras=(DOOR, YARD), metrics=Metrics(("127.0.0.0/8",)))


def scraped(port):
    _, headers, body = fetch(port, "/metrics")
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(body.decode())}


def value(families, name, **labels):
    found = [
        one.value
        for one in families[name.removesuffix("_total")].samples
        if one.name == name and labels.items() <= one.labels.items()
    ]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_numbers_are_those_of_the_streams_and_go_on_over_a_reload(with_cameras, serving):
    async def main():
        async with serving(with_cameras) as service:
            port = service.port("http")
            stream = show_pictures(service)
            stream.counts.sent["rtmp"] += 12345
            hold = stream.demand.hold("rtmp")
            found = await asyncio.to_thread(scraped, port)
            labels = {"camera": "door", "stream": "main"}
            assert value(found, "gateway_camera_state", camera="door", state="live") == 1
            assert value(found, "gateway_camera_state", camera="yard", state="live") == 0
            assert value(found, "gateway_stream_frames_total", **labels) == 50
            assert value(found, "gateway_stream_received_bytes_total", **labels) == 5000
            assert value(found, "gateway_stream_sessions_total", **labels) == 1
            assert value(found, "gateway_stream_sent_bytes_total", output="rtmp", **labels) == 12345
            assert value(found, "gateway_stream_viewers", output="rtmp", **labels) == 1
            assert value(found, "gateway_stream_keyframe_interval_seconds", **labels) == 1
            assert value(found, "gateway_stream_picture_age_seconds", **labels) < 60
            assert value(found, "gateway_ready") == 1
            assert value(found, "process_resident_memory_bytes") > 10**7
            hold.release()
            reloaded = replace(with_cameras, cameras=(replace(DOOR, publish=PublishSection(Secret("other"))), YARD))
            await service.reload(reloaded)
            found = await asyncio.to_thread(scraped, port)
            assert value(found, "gateway_stream_frames_total", **labels) == 50
            assert value(found, "gateway_stream_sent_bytes_total", output="rtmp", **labels) >= 12345

    asyncio.run(main())


def test_names_and_labels_keep_to_the_conventions(with_cameras, serving):
    async def main():
        async with serving(with_cameras) as service:
            show_pictures(service)
            _, _, body = await asyncio.to_thread(fetch, service.port("http"), "/metrics")
            families = list(text_string_to_metric_families(body.decode()))
            names = [family.name for family in families]
            assert len(names) == len(set(names))
            for family in families:
                assert re.fullmatch(r"(gateway|process|python)_[a-z0-9_]+", family.name)
                assert family.documentation.endswith(".")
                assert not re.search(r"_(ms|milliseconds|kb|mb|kbit|bits|percent)(_|$)", family.name), family.name
                samples = {(one.name, tuple(sorted(one.labels.items()))) for one in family.samples}
                assert len(samples) == len(family.samples), family.name
                for sample in family.samples:
                    assert not HIGH_CARDINALITY & sample.labels.keys(), family.name
                    assert family.type != "counter" or sample.name.endswith("_total"), sample.name

    asyncio.run(main())


def test_every_metric_of_the_dashboard_the_alerts_and_the_manual_exists(with_cameras, serving):
    async def main():
        async with serving(with_cameras) as service, asyncio.timeout(15):
            stream = show_pictures(service)
            stream.counts.failures["timeout"] += 1
            stream.counts.lost = 1
            body = ""
            while "gateway_camera_uptime_ratio" not in body:  # known once a camera was looked at for a second
                await asyncio.sleep(0.2)
                body = (await asyncio.to_thread(fetch, service.port("http"), "/metrics"))[2].decode()
            return body

    exposed = set(re.findall(r"^(?:# TYPE )?([a-z_0-9]+)[{ ]", asyncio.run(main()), re.MULTILINE))
    seen = 0
    for name in ("docs/grafana/camera-gateway.json", "docs/grafana/alerts.yml", "docs/monitoring.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        named = set(re.findall(r"\b((?:gateway|process|python)_[a-z0-9_]*[a-z0-9])(?![a-z0-9_]*:)\b", text))
        # what only boxes with such sensors tell, and hooks that are configured
        optional = {name for name in named if re.search(r"temperature|undervolted|throttled|webhook", name)}
        missing = named - exposed - optional
        assert not missing, (name, missing)
        seen += len(named)
    assert seen > 60


def test_metrics_are_for_admins_and_for_addresses_that_are_listed(with_cameras, serving):
    async def main():
        closed = replace(with_cameras, metrics=Metrics(("10.0.0.5", "192.168.0.0/24", "fd00::/8")))
        async with serving(closed) as service:
            port = service.port("http")

            async def status(path, **more):
                return (await asyncio.to_thread(fetch, port, path, **more))[0]

            assert await status("/metrics") == 401
            assert await status(f"/metrics?token={service._access.viewing_token}") == 403
            assert await status("/metrics", login="admin:right") == 200
            assert await status("/metrics", login="admin:wrong") == 401
            assert await status("/metrics", headers=[("X-Forwarded-For", "10.0.0.5")]) == 401
            assert await status("/metrics/", login="admin:right") == 404
            assert await status("/metrics/x") in (401, 404)
            assert await status("/metrics", login="admin:right", method="POST") == 405
            await service.reload(replace(closed, metrics=Metrics(("127.0.0.1",))))
            assert await status("/metrics") == 200
            await service.reload(closed)
            assert await status("/metrics") == 401

    asyncio.run(main())


def test_strangers_learn_only_whether_it_lives_and_is_ready(with_cameras, serving):
    async def main():
        async with serving(with_cameras) as service:
            port = service.port("http")
            assert (await asyncio.to_thread(fetch, port, "/healthz"))[2] == b"ok"
            status, headers, body = await asyncio.to_thread(fetch, port, "/readyz")
            assert (status, json.loads(body)) == (200, READY)
            assert headers["cache-control"] == "no-store"
            assert (await asyncio.to_thread(fetch, port, "/healthz", login="admin:wrong"))[2] == b"ok"
            token = f"/readyz?token={service._access.viewing_token}"
            assert json.loads((await asyncio.to_thread(fetch, port, token))[2]) == READY
            told = json.loads((await asyncio.to_thread(fetch, port, "/readyz", login="admin:right"))[2])
            assert told["ready"]
            assert sum(told["cameras"].values()) == 2
            assert json.loads((await asyncio.to_thread(fetch, port, "/healthz", login="admin:right"))[2])["status"] == "ok"
            status, headers, body = await asyncio.to_thread(fetch, port, "/healthz", method="HEAD")
            assert (status, body, headers["content-length"]) == (200, b"", "2")
            service._relief._pressure.state = Shortage(Level.TIGHT, "40 MB of memory left")
            shown = json.loads((await asyncio.to_thread(fetch, port, "/readyz"))[2])
            assert (shown["pressure"], shown["pressure_reason"]) == ("tight", ""), "how well he does is not for who attacks"
            shown = json.loads((await asyncio.to_thread(fetch, port, "/readyz", login="admin:right"))[2])
            assert shown["pressure_reason"] == "40 MB of memory left"
            service._http.failed.set()
            status, _, body = await asyncio.to_thread(fetch, port, "/readyz")
            assert (status, json.loads(body)["ready"]) == (503, False)
            service._http.failed.clear()

    asyncio.run(main())


def test_it_is_not_ready_before_it_has_started_nor_while_it_stops(with_cameras, serving):
    async def main():
        running = serving(with_cameras)
        service = await running.__aenter__()
        assert service.readiness().ready
        stopping = asyncio.create_task(running.__aexit__(None, None, None))
        await asyncio.sleep(0)
        assert service.readiness().problems == ("the gateway is stopping",)
        await stopping

    asyncio.run(main())


def test_healthz_answers_while_every_worker_of_the_pages_is_busy(with_cameras, serving, monkeypatch):
    import threading

    release = threading.Event()

    async def main():
        async with serving(with_cameras) as service:
            port = service.port("http")
            monkeypatch.setattr(type(service), "cameras", lambda _self: (release.wait(10), ())[1])
            pages = [
                asyncio.create_task(asyncio.to_thread(fetch, port, "/api/v1/cameras", login="admin:right")) for _ in range(4)
            ]
            await asyncio.sleep(0.3)
            assert (await asyncio.wait_for(asyncio.to_thread(fetch, port, "/healthz"), 5))[2] == b"ok"
            release.set()
            await asyncio.gather(*pages)

    asyncio.run(main())


def test_the_health_api_tells_facts_advice_and_incidents(with_cameras, serving):
    async def main():
        async with serving(with_cameras) as service:
            port = service.port("http")
            show_pictures(service)
            async with asyncio.timeout(15):
                while not service._health.journal.last("yard"):
                    await asyncio.sleep(0.1)
            _, _, body = await asyncio.to_thread(fetch, port, "/api/v1/health", login="admin:right")
            found = json.loads(body)
            door, yard = found["cameras"]
            assert door["name"] == "Front door"
            assert door["streams"][0]["transport"] == "rtmp"
            assert yard["incidents"][0]["kind"] == "offline"
            assert yard["uptime"]["day"] == 0
            assert found["incidents"][0]["kind"] == "start"
            assert found["box"]["disk"]["size"] > 0
            _, _, body = await asyncio.to_thread(fetch, port, "/api/v1/incidents?camera=yard", login="admin:right")
            assert [one["camera"] for one in json.loads(body)["incidents"]] == ["yard"]
            assert (await asyncio.to_thread(fetch, port, "/api/v1/health"))[0] == 401

    asyncio.run(main())
