"""Longest prefix routing."""

from __future__ import annotations

import pytest

from gateway.http.messages import Request, Response
from gateway.http.router import Router, WebSocket


async def handler(request: Request) -> Response:
    return Response(200)


async def deeper(request: Request) -> Response:
    return Response(200)


async def live(request: Request, socket: WebSocket) -> None:
    return None


def test_the_longest_prefix_wins_and_the_rest_is_flask_s():
    router = Router()
    router.add("/hls/", handler)
    router.add("/hls/deep/", deeper)
    router.add("/metrics", handler)
    assert router.find("/hls/yard/index.m3u8") is handler
    assert router.find("/hls/deep/x") is deeper
    assert router.find("/metrics") is router.find("/metrics/x") is handler
    for path in ("/", "", "/hls", "/hlsx/", "/metricsx", "/api/v1/cameras", "*"):
        assert router.find(path) is None


def test_websockets_have_routes_of_their_own():
    router = Router()
    router.add_websocket("/live", live)
    assert router.find_websocket("/live") is live
    assert router.find_websocket("/lively") is None
    assert router.find("/live") is None


def test_a_route_given_twice_is_a_defect():
    router = Router()
    router.add("/hls/", handler)
    with pytest.raises(ValueError, match="twice"):
        router.add("/hls/", deeper)
    with pytest.raises(ValueError, match="slash"):
        router.add_websocket("live", live)
