"""The media services over a catalogue of many profiles."""

from __future__ import annotations

import asyncio

import pytest

from gateway.media.track import Codec
from gateway.onvif.face.face import Access, OnvifFace, OnvifRequest
from gateway.onvif.face.media import Catalogue, media_services
from gateway.onvif.face.profiles import MediaProfile, Profiles, VideoFormat
from gateway.onvif.face.soap import SOAP, TR2, TRT
from gateway.onvif.face.tokens import TokenJudge

CAMERAS = 36


def _profiles() -> Profiles:
    video = VideoFormat(codec=Codec.H264, width=640, height=360, fps=25, gop=50, bitrate=500_000)
    return tuple(
        MediaProfile(
            token=f"c{at}", name=f"Camera {at}", path=f"/live/c{at}", snapshot=f"/s/c{at}", source=f"c{at}", video=video
        )
        for at in range(CAMERAS)
    )


@pytest.mark.parametrize("namespace", [TRT, TR2])
@pytest.mark.parametrize("operation", ["GetProfiles", "GetVideoSourceConfigurations"])
def test_a_recorder_that_asks_for_36_cameras_does_not_hold_the_loop(namespace: str, operation: str) -> None:
    """Each profile looked through all the others: 24 ms in which nobody got a picture."""
    asked = 0

    def profiles() -> Profiles:
        nonlocal asked
        asked += 1
        return _profiles()

    catalogue = Catalogue(profiles, lambda: 8554, lambda _token: None)
    face = OnvifFace(media_services(catalogue), Access(TokenJudge({}), lambda: None))
    body = f'<s:Envelope xmlns:s="{SOAP}"><s:Body><{operation} xmlns="{namespace}"/></s:Body></s:Envelope>'
    answer = asyncio.run(face.handle(OnvifRequest(body.encode(), "/onvif/media_service", None, "192.0.2.1", 8899)))
    assert answer.status == 200
    assert f"c{CAMERAS - 1}".encode() in answer.body
    assert asked <= 2
