"""The event service of the simulated camera by the official schema, and what the control makes it report."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import zeep
import zeep.exceptions

from gateway.onvif.face.face import OnvifRequest
from gateway.onvif.face.http_face import HttpRequest
from gateway.onvif.face.soap import SOAP, TEV
from gateway.onvif.schema import wsdl_directory
from gateway.simulator.camera import Auth, CameraSpec, VirtualCamera
from gateway.simulator.control import Control
from gateway.simulator.events_face import EVENTS_PATH, SUBSCRIPTION_PATH, TOPICS

SOAP_HEADERS = {"Content-Type": "application/soap+xml"}
BINDINGS = "http://www.onvif.org/ver10/events/wsdl"


class Wire(zeep.Transport):
    """zeep's transport, straight into the camera; the path of the address decides."""

    def __init__(self, camera: VirtualCamera) -> None:
        super().__init__()
        self.session.close()
        self._camera = camera

    def post(self, address: str, message: bytes, headers: object) -> Any:
        path = "/" + address.split("/", 3)[3]
        answer = asyncio.run(self._camera._onvif.handle(OnvifRequest(message, path, None, "192.0.2.7", 8000)))

        class Response:
            status_code = answer.status
            headers = SOAP_HEADERS
            content = answer.body
            encoding = "utf-8"

        return Response()


@pytest.fixture
def camera() -> VirtualCamera:
    """Not started: it needs no ports for this."""
    return VirtualCamera(CameraSpec(name="Yard", auth=Auth.NONE))


@pytest.fixture
def client(camera: VirtualCamera) -> zeep.Client:
    settings = zeep.Settings(strict=True)
    return zeep.Client(str(wsdl_directory() / "events.wsdl"), transport=Wire(camera), settings=settings)


def service(client: zeep.Client, binding: str, path: str) -> Any:
    return client.create_service(f"{{{BINDINGS}}}{binding}", f"http://192.0.2.7:8000{path}")


def test_zeep_subscribes_pulls_renews_and_leaves(camera: VirtualCamera, client: zeep.Client):
    made = service(client, "EventBinding", EVENTS_PATH).CreatePullPointSubscription(InitialTerminationTime="PT600S")
    path = "/" + made.SubscriptionReference.Address._value_1.split("/", 3)[3]
    assert path.startswith(SUBSCRIPTION_PATH)
    assert 590 < (made.TerminationTime - made.CurrentTime).total_seconds() <= 601
    pull = service(client, "PullPointSubscriptionBinding", path)
    assert len(pull.PullMessages(Timeout="PT1S", MessageLimit=50).NotificationMessage) == len(TOPICS)
    camera.events.report("motion", True)
    (message,) = pull.PullMessages(Timeout="PT1S", MessageLimit=50).NotificationMessage
    told = message.Message._value_1  # zeep leaves out the text of a topic, which may be mixed with elements
    assert told.get("PropertyOperation") == "Changed"
    assert [item.get("Value") for item in told.iter("{*}SimpleItem")] == ["video_source_0", "true"]
    manager = service(client, "SubscriptionManagerBinding", path)
    assert manager.Renew(TerminationTime="PT60S").TerminationTime is not None
    manager.Unsubscribe()
    assert camera.events.subscriptions == 0
    with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
        pull.PullMessages(Timeout="PT1S", MessageLimit=50)


def test_capabilities_name_both_services(camera: VirtualCamera):
    client = zeep.Client(str(wsdl_directory() / "devicemgmt.wsdl"), transport=Wire(camera), settings=zeep.Settings(strict=True))
    device = client.create_service(
        "{http://www.onvif.org/ver10/device/wsdl}DeviceBinding", "http://192.0.2.7:8000/onvif/device"
    )
    capabilities = device.GetCapabilities()
    assert capabilities.Events.XAddr == f"http://192.0.2.7:8000{EVENTS_PATH}"
    assert capabilities.PTZ.XAddr.endswith("/onvif/ptz_service")
    assert TEV in [one.Namespace for one in device.GetServices(False)]


def test_expired_and_abandoned_subscriptions_are_forgotten(camera: VirtualCamera):
    now = 0.0
    camera.events._clock = lambda: now
    wire = Wire(camera)
    body = (
        f'<s:Envelope xmlns:s="{SOAP}"><s:Body><e:CreatePullPointSubscription xmlns:e="{TEV}"><e:InitialTerminationTime>PT30S'
        "</e:InitialTerminationTime></e:CreatePullPointSubscription></s:Body></s:Envelope>"
    ).encode()
    for _ in range(camera.events.quirks.places + 5):
        wire.post(f"http://x{EVENTS_PATH}", body, {})
    assert camera.events.subscriptions == camera.events.quirks.places
    now = 31.0
    assert camera.events.subscriptions == 0


def test_control_makes_it_report(camera: VirtualCamera):
    def ask(path: str, value: str) -> tuple[int, Any]:
        request = HttpRequest("POST", path, path, {"value": value}, {}, b"", "127.0.0.1", 80, "127.0.0.1")
        answer = asyncio.run(Control([camera]).handle(request))
        return answer.status, json.loads(answer.body)

    for what in TOPICS:
        assert ask(f"/control/1/{what}", "on")[1][what] == "on"
        assert camera.events.states[what]
        assert ask(f"/control/1/{what}", "off")[1][what] == "off"
        assert ask(f"/control/1/{what}", "maybe")[0] == 400
