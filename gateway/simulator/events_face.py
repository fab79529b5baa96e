"""The event service of a virtual camera: PullPoint subscriptions, with the misbehaviour of real ones as switches.

Event loop only. `wait` holds a PullMessages back until there is something to tell; the answers themselves are made at
once, as those of every other operation.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.onvif.face.soap import TEV, Call, SoapFault, parse_call
from gateway.simulator.onvif_extension import Operation
from gateway.simulator.onvif_face import SOURCE_TOKEN
from gateway.simulator.ptz_face import parse_seconds

if TYPE_CHECKING:
    from gateway.onvif.face.face import OnvifRequest

EVENTS_PATH = "/onvif/event_service"
SUBSCRIPTION_PATH = "/onvif/subscription/"
WSNT = "http://docs.oasis-open.org/wsn/b-2"
WSA = "http://www.w3.org/2005/08/addressing"
MAX_LEASE_S = 3600.0
DEFAULT_LEASE_S = 60.0
MAX_QUEUED = 100
TOPICS = {
    "motion": ("tns1:VideoSource/MotionAlarm", "Source", SOURCE_TOKEN, "State"),
    "tamper": ("tns1:VideoSource/GlobalSceneChange/ImagingService", "Source", SOURCE_TOKEN, "State"),
    "input": ("tns1:Device/Trigger/DigitalInput", "InputToken", "1", "LogicalState"),
}
"""What it can report: topic, source item and its value, data item."""
_DIALECTS = (
    "<r:FixedTopicSet xmlns:r='{0}'>true</r:FixedTopicSet>"
    "<wstop:TopicSet xmlns:wstop='http://docs.oasis-open.org/wsn/t-1' xmlns:tns1='http://www.onvif.org/ver10/topics'>"
    "<tns1:VideoSource><MotionAlarm wstop:topic='true'/></tns1:VideoSource></wstop:TopicSet>"
    "<r:TopicExpressionDialect xmlns:r='{0}'>http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet"
    "</r:TopicExpressionDialect>"
)


@dataclass(slots=True)
class EventQuirks:
    """What real cameras do wrong; all off by default."""

    places: int = 10
    """Subscriptions at the same time."""
    knows_renew: bool = True
    relative_lease_s: float | None = None
    """Granted for any relative time, as by cameras that misread it."""
    names_wrong_host: bool = False
    """The subscription's address is one inside another network."""
    wants_reference: bool = False
    """Requests must bring back the reference parameters."""
    answers_at_once: bool = False
    """PullMessages never waits."""
    drops_pulls: bool = False
    """PullMessages ends in a fault."""


@dataclass(slots=True)
class _Subscription:
    ends: float
    queue: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_QUEUED))
    news: asyncio.Event = field(default_factory=asyncio.Event)


class EventsFace:
    """The service of one camera. `clock` is monotonic, `wall` the camera's own (Unix seconds), right or wrong."""

    services: Mapping[str, str] = {TEV: EVENTS_PATH}

    def __init__(self, clock: Callable[[], float], wall: Callable[[], float]) -> None:
        self.quirks = EventQuirks()
        self.states = dict.fromkeys(TOPICS, False)
        self.asked: list[str] = []
        """Operations so far, without PullMessages."""
        self._clock = clock
        self._wall = wall
        self._numbers = itertools.count(1)
        self._held: dict[str, _Subscription] = {}
        self.operations: Mapping[tuple[str, str], Operation] = {
            (TEV, "GetServiceCapabilities"): lambda call, request: '<r:Capabilities WSPullPointSupport="true"/>',
            (TEV, "GetEventProperties"): lambda call, request: (
                f"<r:TopicNamespaceLocation>http://www.onvif.org/onvif/ver10/topics/topicns.xml</r:TopicNamespaceLocation>"
                f"{_DIALECTS.format(WSNT)}"
            ),
            (TEV, "CreatePullPointSubscription"): self._create,
            (TEV, "PullMessages"): self._pull,
            (TEV, "SetSynchronizationPoint"): self._synchronise,
            (WSNT, "Renew"): self._renew,
            (WSNT, "Unsubscribe"): self._unsubscribe,
        }

    @property
    def subscriptions(self) -> int:
        """How many are held now."""
        self._forget_expired()
        return len(self._held)

    def report(self, what: str, on: bool) -> None:
        """Something begins or ends. Raises KeyError for what it cannot report."""
        if self.states[what] == on:
            return
        self.states[what] = on
        for held in self._held.values():
            held.queue.append(self._notification(what, "Changed"))
            held.news.set()

    def forget(self) -> None:
        """A power cut: nobody is subscribed any more."""
        for held in self._held.values():
            held.news.set()
        self._held.clear()

    async def wait(self, request: OnvifRequest) -> None:
        """Return when a PullMessages can be answered; at once for anything else."""
        if b"PullMessages" not in request.body or self.quirks.answers_at_once:
            return
        held = self._held.get(request.path)
        if held is None or held.queue:
            return
        try:
            timeout_s = parse_seconds(parse_call(request.body).text("Timeout") or "PT0S")
            async with asyncio.timeout(timeout_s):
                await held.news.wait()
        except (TimeoutError, SoapFault):
            pass

    def _create(self, call: Call, request: OnvifRequest) -> str:
        self.asked.append("CreatePullPointSubscription")
        if self.subscriptions >= self.quirks.places:
            raise SoapFault("maximum number of subscriptions reached", "Action", "MaxPullPoints", sender=False)
        number = next(self._numbers)
        path = f"{SUBSCRIPTION_PATH}{number}"
        held = self._held[path] = _Subscription(self._clock() + self._lease(call.text("InitialTerminationTime")))
        held.queue.extend(self._notification(what, "Initialized") for what in TOPICS)
        netloc = "10.9.8.7:8888" if self.quirks.names_wrong_host else f"{request.host}:{request.port}"
        reference = (
            f'<a:ReferenceParameters><v:SubscriptionId xmlns:v="http://vendor.example/events">{number}</v:SubscriptionId>'
            "</a:ReferenceParameters>"
            if self.quirks.wants_reference
            else ""
        )
        return (
            f'<r:SubscriptionReference xmlns:a="{WSA}"><a:Address>http://{netloc}{path}</a:Address>{reference}'
            f"</r:SubscriptionReference>{self._times(held)}"
        )

    def _pull(self, call: Call, request: OnvifRequest) -> str:
        held = self._named(request)
        if self.quirks.drops_pulls:
            raise SoapFault("not now", "Action", sender=False)
        limit = int(call.text("MessageLimit") or MAX_QUEUED)
        messages = "".join(held.queue.popleft() for _ in range(min(limit, len(held.queue))))
        if not held.queue:
            held.news.clear()
        moment = self._moment(0.0)
        ends = self._moment(held.ends - self._clock())
        return f"<r:CurrentTime>{moment}</r:CurrentTime><r:TerminationTime>{ends}</r:TerminationTime>{messages}"

    def _synchronise(self, _call: Call, request: OnvifRequest) -> str:
        held = self._named(request)
        held.queue.extend(self._notification(what, "Initialized") for what in TOPICS)
        held.news.set()
        return ""

    def _renew(self, call: Call, request: OnvifRequest) -> str:
        self.asked.append("Renew")
        held = self._named(request)
        if not self.quirks.knows_renew:
            raise SoapFault("Renew is not implemented", "ActionNotSupported", sender=False)
        held.ends = self._clock() + self._lease(call.text("TerminationTime"))
        left = self._moment(held.ends - self._clock())
        return f"<r:TerminationTime>{left}</r:TerminationTime><r:CurrentTime>{self._moment(0.0)}</r:CurrentTime>"

    def _unsubscribe(self, _call: Call, request: OnvifRequest) -> str:
        self.asked.append("Unsubscribe")
        held = self._named(request)
        del self._held[request.path]
        held.news.set()
        return ""

    def _named(self, request: OnvifRequest) -> _Subscription:
        self._forget_expired()
        held = self._held.get(request.path)
        number = request.path.rpartition("/")[2]
        if held is None or (self.quirks.wants_reference and f">{number}</".encode() not in request.body):
            raise SoapFault("the subscription does not exist", "InvalidArgVal", "ResourceUnknown")
        return held

    def _forget_expired(self) -> None:
        now = self._clock()
        self._held = {path: held for path, held in self._held.items() if held.ends > now}

    def _lease(self, text: str | None) -> float:
        """Seconds, from a duration or a moment by the camera's clock."""
        if text is None:
            return DEFAULT_LEASE_S
        if text.startswith("P"):
            wanted = parse_seconds(text, MAX_LEASE_S)
            return wanted if self.quirks.relative_lease_s is None else self.quirks.relative_lease_s
        try:
            end = datetime.fromisoformat(text)
        except ValueError as error:
            raise SoapFault("not a time", "InvalidArgVal") from error
        return min(max(end.replace(tzinfo=end.tzinfo or UTC).timestamp() - self._wall(), 0.0), MAX_LEASE_S)

    def _times(self, held: _Subscription) -> str:
        ends = self._moment(held.ends - self._clock())
        return (
            f'<n:CurrentTime xmlns:n="{WSNT}">{self._moment(0.0)}</n:CurrentTime>'
            f'<n:TerminationTime xmlns:n="{WSNT}">{ends}</n:TerminationTime>'
        )

    def _moment(self, from_now_s: float) -> str:
        return datetime.fromtimestamp(self._wall() + from_now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _notification(self, what: str, operation: str) -> str:
        topic, source, token, item = TOPICS[what]
        value = "true" if self.states[what] else "false"
        return (
            f'<n:NotificationMessage xmlns:n="{WSNT}" xmlns:tns1="http://www.onvif.org/ver10/topics">'
            f'<n:Topic Dialect="http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet">{topic}</n:Topic>'
            f'<n:Message><tt:Message UtcTime="{self._moment(0.0)}" PropertyOperation="{operation}"><tt:Source>'
            f'<tt:SimpleItem Name="{source}" Value="{token}"/></tt:Source><tt:Data>'
            f'<tt:SimpleItem Name="{item}" Value="{value}"/></tt:Data></tt:Message></n:Message></n:NotificationMessage>'
        )
