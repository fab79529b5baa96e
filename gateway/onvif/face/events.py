"""The events service, as little of it as NVRs insist on: pull points that tell when a camera's picture is gone and back.

ONVIF Core specification 9.2 to 9.4; topic `tns1:VideoSource/SignalLoss`. `PullPoints` is pure with the clock passed in;
`events_services` waits inside PullMessages, which is the only answer of a device that takes its time. Event loop only.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from gateway.onvif.face.face import OnvifRequest, Service
from gateway.onvif.face.soap import TEV, WSNT, Call, SoapFault
from gateway.onvif.face.tokens import parse_time

EVENTS_PATH = "/onvif/event_service"
PULL_POINT_PATH = "/onvif/pull_point/"
MAX_PULL_POINTS = 32
"""NVRs hold one each and forget some; these end by themselves."""
DEFAULT_LIFE_S = 60.0
LONGEST_LIFE_S = 3600.0
LONGEST_WAIT_S = 60.0
"""What a client may wait for a message; TCP connections idle for longer get lost in home routers."""
LOOK_EVERY_S = 0.5
"""How often a waiting client's sources are looked at; a camera's state changes no faster."""
MAX_MESSAGES = 256

_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,8})(?:\.\d{1,9})?S)?)?")
_DURATION_UNITS_S = (86400, 3600, 60, 1)
_CONCRETE = "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
_TOPIC = "tns1:VideoSource/SignalLoss"
_PROPERTIES = (
    "<tev:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</tev:TopicNamespaceLocation>"
    '<wsnt:FixedTopicSet>true</wsnt:FixedTopicSet><wstop:TopicSet><tns1:VideoSource><SignalLoss wstop:topic="true">'
    '<tt:MessageDescription IsProperty="true"><tt:Source><tt:SimpleItemDescription Name="Source" Type="tt:ReferenceToken"/>'
    '</tt:Source><tt:Data><tt:SimpleItemDescription Name="State" Type="xs:boolean"/></tt:Data></tt:MessageDescription>'
    "</SignalLoss></tns1:VideoSource></wstop:TopicSet>"
    f"<wsnt:TopicExpressionDialect>{_CONCRETE}</wsnt:TopicExpressionDialect>"
    "<wsnt:TopicExpressionDialect>http://docs.oasis-open.org/wsn/t-1/TopicExpression/Concrete</wsnt:TopicExpressionDialect>"
    "<tev:MessageContentFilterDialect>http://www.onvif.org/ver10/tev/messageContentFilter/ItemFilter"
    "</tev:MessageContentFilterDialect>"
    "<tev:MessageContentSchemaLocation>http://www.onvif.org/onvif/ver10/schema/onvif.xsd</tev:MessageContentSchemaLocation>"
)
PULL_POINT_CAPABILITY = (
    "<tt:WSSubscriptionPolicySupport>false</tt:WSSubscriptionPolicySupport><tt:WSPullPointSupport>true"
    "</tt:WSPullPointSupport><tt:WSPausableSubscriptionManagerInterfaceSupport>false"
    "</tt:WSPausableSubscriptionManagerInterfaceSupport>"
)
"""What GetCapabilities says of a device that has pull points and nothing more."""

Signals = Mapping[str, bool]
"""Token of every video source, and whether its picture is lost."""


@dataclass(slots=True)
class _PullPoint:
    ends: float
    told: dict[str, bool] = field(default_factory=dict)


class PullPoints:
    """The pull points of all clients. Times are monotonic: a clock that is set must not end what a recorder listens to."""

    def __init__(self) -> None:
        self._points: dict[str, _PullPoint] = {}

    def create(self, ends: float, now: float) -> str:
        """The id of a new one. Raises SoapFault if there are too many."""
        self._points = {key: point for key, point in self._points.items() if point.ends > now}
        if len(self._points) >= MAX_PULL_POINTS:
            raise SoapFault("too many subscriptions", "Action", "MaxPullPoints", sender=False)
        key = secrets.token_hex(8)
        self._points[key] = _PullPoint(ends)
        return key

    def find(self, key: str, now: float) -> _PullPoint:
        """The pull point of this id. Raises SoapFault if it never was or has ended."""
        point = self._points.get(key)
        if point is None or point.ends <= now:
            self._points.pop(key, None)
            raise SoapFault("the subscription does not exist or has ended", "InvalidArgVal", "ResourceUnknown")
        return point

    def remove(self, key: str) -> None:
        """End one; harmless if there is none."""
        self._points.pop(key, None)

    def messages(self, key: str, signals: Signals, now: float, limit: int, *, wall: float) -> list[str]:
        """What this client has not been told yet, at most `limit` messages. Raises SoapFault as `find` does.

        `wall` is what the device's clock shows, in Unix seconds.
        """
        told = self.find(key, now).told
        found: list[str] = []
        for source, lost in signals.items():
            if told.get(source) is lost or len(found) >= limit:
                continue
            found.append(_message(source, lost, "Changed" if source in told else "Initialized", wall))
            told[source] = lost
        for source in [source for source in told if source not in signals]:
            if len(found) < limit:
                found.append(_message(source, told.pop(source), "Deleted", wall))
        return found


def events_services(
    signals: Callable[[], Signals],
    *,
    clock: Callable[[], float],
    monotonic: Callable[[], float] = time.monotonic,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> tuple[Service, Service]:
    """The events service, and the part of it that stands in WS-Notification's namespace. `clock` is the device's own."""
    points = PullPoints()

    def create(call: Call, request: OnvifRequest) -> str:
        now = clock()
        life_s = _life_s(call.text("InitialTerminationTime"), now)
        key = points.create(monotonic() + life_s, monotonic())
        return (
            f"<tev:SubscriptionReference><a:Address>{request.url(PULL_POINT_PATH + key)}</a:Address>"
            f"</tev:SubscriptionReference><wsnt:CurrentTime>{zulu(now)}</wsnt:CurrentTime>"
            f"<wsnt:TerminationTime>{zulu(now + life_s)}</wsnt:TerminationTime>"
        )

    async def pull(call: Call, request: OnvifRequest) -> str:
        key = _key(request)
        wait_s = min(duration_s(call.text("Timeout") or "PT0S") or 0.0, LONGEST_WAIT_S)
        limit = _limit(call.text("MessageLimit"))
        for _ in range(round(wait_s / LOOK_EVERY_S)):
            if found := points.messages(key, signals(), monotonic(), limit, wall=clock()):
                break
            await pause(LOOK_EVERY_S)
        else:
            found = points.messages(key, signals(), monotonic(), limit, wall=clock())
        now = clock()
        ends = now + points.find(key, monotonic()).ends - monotonic()
        return (
            f"<tev:CurrentTime>{zulu(now)}</tev:CurrentTime>"
            f"<tev:TerminationTime>{zulu(ends)}</tev:TerminationTime>{''.join(found)}"
        )

    def synchronise(_call: Call, request: OnvifRequest) -> str:
        points.find(_key(request), monotonic()).told.clear()
        return ""

    def renew(call: Call, request: OnvifRequest) -> str:
        now = clock()
        point = points.find(_key(request), monotonic())
        life_s = _life_s(call.text("TerminationTime"), now)
        point.ends = monotonic() + life_s
        return (
            f"<wsnt:TerminationTime>{zulu(now + life_s)}</wsnt:TerminationTime><wsnt:CurrentTime>{zulu(now)}</wsnt:CurrentTime>"
        )

    def unsubscribe(_call: Call, request: OnvifRequest) -> str:
        points.find(_key(request), monotonic())
        points.remove(_key(request))
        return ""

    def capabilities(_call: Call, _request: OnvifRequest) -> str:
        return (
            '<tev:Capabilities WSSubscriptionPolicySupport="false" WSPullPointSupport="true" '
            f'WSPausableSubscriptionManagerInterfaceSupport="false" MaxPullPoints="{MAX_PULL_POINTS}"/>'
        )

    port, point = f"{TEV}/EventPortType", f"{TEV}/PullPointSubscription"
    manager = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
    events = Service(
        TEV,
        EVENTS_PATH,
        {
            "GetServiceCapabilities": capabilities,
            "GetEventProperties": lambda _call, _request: _PROPERTIES,
            "CreatePullPointSubscription": create,
            "PullMessages": pull,
            "SetSynchronizationPoint": synchronise,
        },
        capability=("Events", PULL_POINT_CAPABILITY),
        pre_auth=frozenset({"GetServiceCapabilities"}),
        actions={
            "GetEventProperties": f"{port}/GetEventPropertiesResponse",
            "CreatePullPointSubscription": f"{port}/CreatePullPointSubscriptionResponse",
            "PullMessages": f"{point}/PullMessagesResponse",
            "SetSynchronizationPoint": f"{point}/SetSynchronizationPointResponse",
        },
    )
    notification = Service(
        WSNT,
        EVENTS_PATH,
        {"Renew": renew, "Unsubscribe": unsubscribe},
        actions={"Renew": f"{manager}/RenewResponse", "Unsubscribe": f"{manager}/UnsubscribeResponse"},
        listed=False,
    )
    return events, notification


def duration_s(text: str) -> float | None:
    """Seconds of an xs:duration without years and months; None if it is none."""
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    return float(sum(int(part or 0) * unit for part, unit in zip(match.groups(), _DURATION_UNITS_S, strict=True)))


def zulu(moment: float) -> str:
    """xs:dateTime of Unix seconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _life_s(text: str | None, now: float) -> float:
    """How long a subscription lives that was asked for with this duration, or moment of the device's clock. SoapFault."""
    if not text:
        return DEFAULT_LIFE_S
    length = duration_s(text)
    if length is None:
        moment = parse_time(text)
        length = None if moment is None else moment - now
    if length is None or length <= 0:
        raise SoapFault("the termination time is none, or has passed", "InvalidArgVal", "UnacceptableTerminationTime")
    return min(length, LONGEST_LIFE_S)


def _key(request: OnvifRequest) -> str:
    return request.path.partition("?")[0].removeprefix(PULL_POINT_PATH)


def _limit(text: str | None) -> int:
    return max(1, min(int(text), MAX_MESSAGES)) if text and text.isascii() and text.isdecimal() and len(text) < 9 else 1


def _message(source: str, lost: bool, operation: str, now: float) -> str:
    return (
        f'<wsnt:NotificationMessage><wsnt:Topic Dialect="{_CONCRETE}">{_TOPIC}</wsnt:Topic><wsnt:Message>'
        f'<tt:Message UtcTime="{zulu(now)}" PropertyOperation="{operation}"><tt:Source>'
        f'<tt:SimpleItem Name="Source" Value="{source}"/></tt:Source><tt:Data>'
        f'<tt:SimpleItem Name="State" Value="{str(lost).lower()}"/></tt:Data></tt:Message></wsnt:Message>'
        "</wsnt:NotificationMessage>"
    )
