"""A PullPoint subscription: its requests, its address, and how long it lasts. Pure; the clock is passed in.

Cameras misread times (`PT10M` as ten seconds, relative times not at all), know no Renew, name a wrong host or another port
each time, and some fall over when they are asked too often. So ends are taken from what the camera says, relative
to its own clock; relative times are written in seconds; and when one was understood wrongly, absolute ones are used.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from gateway.onvif import addresses, clock
from gateway.onvif.client import EVENTS_NS
from gateway.onvif.ptz import duration
from gateway.onvif.reader import Node

LEASE_S = 600.0
"""Asked for. An abandoned subscription of a box that died blocks one of few places for this long at most."""
SHORT_LEASE_S = 60.0
"""Granted less than this although ten minutes were asked for: the camera misread the time."""
UNKNOWN_LEASE_S = 60.0
"""If the camera does not tell: what most give by default."""
RENEW_GAP_S = 20.0
"""Never more often: Tapo cameras crash (HA #92604)."""
PULL_S = 20.0
"""How long the camera may hold an answer back. Most obey; some drop connections that are silent for a minute."""
MESSAGE_LIMIT = 50

NOTIFICATION_NS = "http://docs.oasis-open.org/wsn/b-2"
ADDRESSING_NS = "http://www.w3.org/2005/08/addressing"
_MANAGER = "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager"
CREATE_ACTION = f"{EVENTS_NS}/EventPortType/CreatePullPointSubscriptionRequest"
PULL_ACTION = f"{EVENTS_NS}/PullPointSubscription/PullMessagesRequest"
RENEW_ACTION = f"{_MANAGER}/RenewRequest"
UNSUBSCRIBE_ACTION = f"{_MANAGER}/UnsubscribeRequest"
MAX_PARAMETERS_CHARS = 4096


class Times(enum.Enum):
    """How ends are told to the camera."""

    RELATIVE = "relative"
    ABSOLUTE = "absolute"
    NONE = "none"
    """It knows no Renew: the subscription is made anew when it ends."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One subscription. Times are monotonic seconds of the caller."""

    address: str
    """Where to send requests: the host that is known to work."""
    said: str
    """As the camera wrote it, for WS-Addressing `To`."""
    parameters: str
    """XML that every request has to bring back (ReferenceParameters)."""
    times: Times
    ends: float
    granted_s: float
    """How long it was given; what is left when half of it is over, it is renewed."""
    renewed: float
    """When it was made or renewed last."""

    def renew_due(self, now: float) -> bool:
        """Whether to renew now."""
        if self.times is Times.NONE or now - self.renewed < RENEW_GAP_S:
            return False
        return self.ends - now < max(self.granted_s / 2, 2 * PULL_S)

    def over(self, now: float) -> bool:
        """Whether it has ended, by the camera's own word."""
        return now >= self.ends + PULL_S

    def heard(self, reply: Node, now: float) -> Subscription:
        """After an answer that tells the end anew: each pull prolongs it on many cameras."""
        left = _left_s(reply)
        return self if left is None else replace(self, ends=now + left)

    def after_renew(self, reply: Node, now: float) -> Subscription:
        """After a Renew that was answered."""
        left = _left_s(reply)
        granted = LEASE_S if left is None else left
        times = Times.ABSOLUTE if granted < SHORT_LEASE_S and self.times is Times.RELATIVE else self.times
        return replace(self, ends=now + granted, granted_s=granted, renewed=now, times=times)

    def after_refused_renew(self, now: float) -> Subscription:
        """After a Renew that ended in a fault: the other way of telling times, then none."""
        times = Times.ABSOLUTE if self.times is Times.RELATIVE else Times.NONE
        return replace(self, renewed=now, times=times)


def created(reply: Node, service: str, now: float) -> Subscription | None:
    """From a CreatePullPointSubscriptionResponse; None if it names no address. `service` is where it was asked."""
    reference = reply.find("SubscriptionReference")
    if reference is None:
        return None
    said = reference.text_at("Address")
    left = _left_s(reply)
    granted = UNKNOWN_LEASE_S if left is None else left
    times = Times.ABSOLUTE if left is not None and granted < SHORT_LEASE_S else Times.RELATIVE
    return Subscription(_pinned(said, service), said, _parameters(reference), times, now + granted, granted, now)


def _pinned(said: str, service: str) -> str:
    """The host of the service that answered stays. Another port is believed only from a camera that names its own host."""
    known, told = addresses.split(service), addresses.split(said)
    port = told.port or known.port if told.host == known.host and told.scheme == known.scheme else known.port
    return replace(known, port=port, tail=told.tail or known.tail).url


def _parameters(reference: Node) -> str:
    node = reference.child("ReferenceParameters")
    written = "".join(_written(child, top=True) for child in node.children) if node is not None else ""
    return written if len(written) <= MAX_PARAMETERS_CHARS else ""


def _written(node: Node, *, top: bool = False) -> str:
    attributes = "".join(
        f" {name}={quoteattr(value)}"
        for name, value in node.attributes.items()
        if name.isidentifier() and name != "IsReferenceParameter"
    )
    mark = f' a:IsReferenceParameter="true" xmlns:a="{ADDRESSING_NS}"' if top else ""
    inner = escape(node.text) + "".join(_written(child) for child in node.children)
    tag = f"p:{node.name}" if node.namespace else node.name
    declared = f" xmlns:p={quoteattr(node.namespace)}" if node.namespace else ""
    return f"<{tag}{declared}{attributes}{mark}>{inner}</{tag}>"


def _left_s(reply: Node) -> float | None:
    """Seconds from the camera's CurrentTime to its TerminationTime; None if it does not tell both."""
    current, end = (_moment(reply.find(name)) for name in ("CurrentTime", "TerminationTime"))
    return None if current is None or end is None else max(0.0, end - current)


def _moment(node: Node | None) -> float | None:
    try:
        moment = datetime.fromisoformat(node.text.strip()) if node is not None else None
        return moment.timestamp() if moment is not None else None
    except (ValueError, OverflowError, OSError):
        return None


# Requests


def addressing(action: str, to: str, message_id: str, parameters: str = "") -> str:
    """WS-Addressing headers. Without them some cameras answer event calls with 400; elsewhere they break things."""
    return (
        f'<a:Action xmlns:a="{ADDRESSING_NS}">{action}</a:Action><a:To xmlns:a="{ADDRESSING_NS}">{escape(to)}</a:To>'
        f'<a:MessageID xmlns:a="{ADDRESSING_NS}">urn:uuid:{message_id}</a:MessageID>'
        f'<a:ReplyTo xmlns:a="{ADDRESSING_NS}"><a:Address>{ADDRESSING_NS}/anonymous</a:Address></a:ReplyTo>{parameters}'
    )


def create_request() -> str:
    """CreatePullPointSubscription, without a filter: filters are what cameras understand least."""
    return (
        f'<e:CreatePullPointSubscription xmlns:e="{EVENTS_NS}">'
        f"<e:InitialTerminationTime>{duration(LEASE_S)}</e:InitialTerminationTime></e:CreatePullPointSubscription>"
    )


def pull_request(timeout_s: float = PULL_S) -> str:
    """PullMessages."""
    return (
        f'<e:PullMessages xmlns:e="{EVENTS_NS}"><e:Timeout>{duration(timeout_s)}</e:Timeout>'
        f"<e:MessageLimit>{MESSAGE_LIMIT}</e:MessageLimit></e:PullMessages>"
    )


def renew_request(times: Times, camera_now: Callable[[], float]) -> str:
    """Renew; `camera_now` is the camera's clock in Unix seconds, for absolute ends."""
    end = duration(LEASE_S) if times is Times.RELATIVE else clock.zulu(camera_now() + LEASE_S)
    return f'<n:Renew xmlns:n="{NOTIFICATION_NS}"><n:TerminationTime>{end}</n:TerminationTime></n:Renew>'


def unsubscribe_request() -> str:
    """Unsubscribe."""
    return f'<n:Unsubscribe xmlns:n="{NOTIFICATION_NS}"/>'
