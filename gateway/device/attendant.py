"""Stays in touch with one camera: learns what it is, and listens to what it reports. One daemon thread per ONVIF camera.

Over its own connection it holds one PullPoint subscription: it asks, and the camera answers when something happens or after
twenty seconds. A thread that waits costs nothing, and one camera that hangs holds up no other. The subscription is given
back when the attendant stops, because cameras have few places (often ten) and forget them late.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.device.link import Connection, Link
from gateway.errors import ProtocolError, SourceError
from gateway.onvif import administration, subscription
from gateway.onvif.administration import Interface
from gateway.onvif.client import EVENTS_NS, OnvifClient
from gateway.onvif.deadline import Deadline
from gateway.onvif.events import Message, parse_messages
from gateway.onvif.media import DeviceDescription
from gateway.onvif.ptz import PtzAbilities
from gateway.onvif.ptz_client import find_abilities
from gateway.onvif.reader import Node
from gateway.onvif.subscription import PULL_S, Subscription, Times
from gateway.onvif.transport import Interrupted, Timeouts

log = logging.getLogger(__name__)

RETRY_FIRST_S, RETRY_LARGEST_S = 60.0, 600.0
"""Never sooner: Tapo cameras crash when they are subscribed to too often (HA #92604, #91661)."""
POKE_GAP_S = 15.0
"""A camera that was away and shows pictures again is asked at once, but not in a loop."""
LEARN_AGAIN_S = 600.0
"""The facts of a camera that reports no events: its clock drifts, its settings change."""
QUICK_PULL_S = 1.0
"""A camera that answers sooner with nothing does not wait: it is asked this often."""
PULL_TRIES = 3
PULL_PAUSE_S = 3.0
CREATE_S = 3.0
"""To subscribe; not to be interrupted, so it must fit into the stop deadline."""
ASKING_S = 180.0
"""Learning a camera is some ten requests, of which each may take its whole time; past this the thread is stuck."""
END_S = 1.5
"""To give the subscription back. The gateway stops within 6 s, whatever cameras do."""
LISTEN_TIMEOUTS = Timeouts(connect_s=5.0, read_s=PULL_S + 5.0, answer_s=PULL_S + 8.0)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a camera says about itself."""

    description: DeviceDescription
    clock_offset_s: float
    """The camera's clock minus ours."""
    interfaces: tuple[Interface, ...]
    ptz: PtzAbilities | None
    """None: it cannot be steered."""
    events: bool
    """It has an event service."""
    learned_at: float
    """Unix seconds."""


class Sink(Protocol):
    """Who wants to know. Called on the attendant's thread."""

    def facts(self, facts: Facts) -> None: ...

    def messages(self, messages: tuple[Message, ...]) -> None: ...

    def lost(self) -> None:
        """What was reported may no longer hold: the connection is gone."""


def learn(client: OnvifClient, profile: str | None) -> Facts:
    """Ask a camera about itself. `profile` is the token of the main stream, if one was configured. Raises SourceError."""
    description = client.describe()
    return Facts(
        description=description,
        clock_offset_s=client.clock_offset_s,
        interfaces=administration.network(client),
        ptz=find_abilities(client, profile),
        events=EVENTS_NS in client.services(),
        learned_at=time.time(),
    )


class Attendant:
    """The attendant of one camera, between `start` and `stop`."""

    def __init__(self, link: Link, sink: Sink, clock: Callable[[], float] = time.monotonic) -> None:
        self._link = link
        self._sink = sink
        self._clock = clock
        self._name = link.camera.id
        self._stop = threading.Event()
        self._changed = threading.Event()
        self._connection: Connection | None = None
        self._lock = threading.Lock()
        self._holding = False
        """A subscription is held, or about to be."""
        self._tried_at = -POKE_GAP_S
        self.subscribed = False
        """A subscription is held now."""
        self.trouble = ""
        """Why it is not, if it should be."""
        self.due = clock() + ASKING_S
        """The monotonic time by which it has moved on; past it, it is stuck. Read by any thread."""
        self.thread = threading.Thread(target=self._run, name=f"events {self._name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self.thread.start()

    def poke(self) -> None:
        """The camera is back: try at once if it is waited for. Any thread."""
        if self._clock() - self._tried_at >= POKE_GAP_S:
            self._changed.set()

    def stop(self) -> list[threading.Thread]:
        """End. The thread returned is still giving back its subscription; one that holds none need not be waited for: it
        may be trying to connect to a camera that is away. Any thread.
        """
        self._stop.set()
        self._changed.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()
            return [self.thread] if self._holding else []

    # From here on: the attendant's thread.

    def _run(self) -> None:
        pause_s = RETRY_FIRST_S
        while not self._stop.is_set():
            self._changed.clear()
            self._tried_at = self._clock()
            self.due = self._tried_at + ASKING_S
            try:
                self._attend()
                self.trouble, pause_s = "", RETRY_FIRST_S
            except Interrupted:
                pass
            except SourceError as error:
                level = logging.INFO if str(error) != self.trouble else logging.DEBUG
                log.log(level, "camera %s: its events are not heard: %s", self._name, error)
                self.trouble = str(error)
            except Exception:
                log.exception("camera %s: listening to its events failed", self._name)
                pause_s = RETRY_LARGEST_S
            if not self._stop.is_set():
                self.due = self._clock() + pause_s + ASKING_S
                self._changed.wait(pause_s)
                pause_s = min(pause_s * 2, RETRY_LARGEST_S)

    def _attend(self) -> None:
        with self._link.open(LISTEN_TIMEOUTS) as connection:
            try:
                self._interruptible(connection)
                facts = learn(connection.client, self._link.camera.profile)
                self._sink.facts(facts)
                if facts.events and self._link.camera.events:
                    self._listen(connection)
                    return
            finally:
                self._interruptible(None)
        self.due = self._clock() + LEARN_AGAIN_S + ASKING_S
        self._changed.wait(LEARN_AGAIN_S)

    def _interruptible(self, connection: Connection | None) -> None:
        """From now on `stop` calls off what is asked over `connection`. Raises Interrupted if it was called before."""
        with self._lock:
            self._connection = connection
            if connection is not None and self._stop.is_set():
                raise Interrupted(f"{self._name}: stopping")

    def _listen(self, connection: Connection) -> None:
        service = connection.client.services()[EVENTS_NS]
        with self._lock:
            if self._stop.is_set():
                raise Interrupted(f"{self._name}: stopping")
            # An answer that is called off here would leave a subscription that nobody knows how to give back.
            self._connection = None
            self._holding = True
        try:
            self._hold(connection, service)
        finally:
            self._holding = False

    def _hold(self, connection: Connection, service: str) -> None:
        client = connection.client
        create = subscription.create_request()
        reply = self._post(client, service, service, subscription.CREATE_ACTION, create, deadline=Deadline(CREATE_S))
        held = subscription.created(reply, service, self._clock())
        if held is None:
            raise ProtocolError(f"{client.label}: the camera makes a subscription without an address")
        log.info("camera %s: listening to its events", self._name)
        self.subscribed, self.trouble = True, ""
        try:
            self._interruptible(connection)
            self._pull(client, held)
        finally:
            self.subscribed = False
            self._unsubscribe(client, held)
            self._sink.lost()

    def _pull(self, client: OnvifClient, held: Subscription) -> None:
        failures = 0
        while not self._stop.is_set():
            if held.renew_due(self._clock()):
                held = self._renew(client, held)
            began = self._clock()
            self.due = began + ASKING_S
            try:
                reply = self._ask(client, held, subscription.PULL_ACTION, subscription.pull_request())
            except Interrupted:
                raise
            except SourceError:
                failures += 1
                if failures >= PULL_TRIES or held.over(self._clock()):
                    raise
                self._stop.wait(PULL_PAUSE_S)
                continue
            failures = 0
            held = held.heard(reply, self._clock())
            messages = parse_messages(reply)
            if messages:
                self._sink.messages(messages)
            elif self._clock() - began < QUICK_PULL_S:
                self._stop.wait(QUICK_PULL_S)

    def _renew(self, client: OnvifClient, held: Subscription) -> Subscription:
        def camera_now() -> float:
            return time.time() + client.clock_offset_s

        body = subscription.renew_request(held.times, camera_now)
        try:
            return held.after_renew(self._ask(client, held, subscription.RENEW_ACTION, body), self._clock())
        except Interrupted:
            raise
        except ProtocolError as error:
            refused = held.after_refused_renew(self._clock())
            if refused.times is Times.NONE:
                log.info("camera %s: its subscription cannot be renewed: %s", self._name, error)
            return refused

    def _unsubscribe(self, client: OnvifClient, held: Subscription) -> None:
        body = subscription.unsubscribe_request()
        for _ in range(2):  # the first may meet the interruption that was meant for a pull just over
            try:
                self._ask(client, held, subscription.UNSUBSCRIBE_ACTION, body, Deadline(END_S))
            except Interrupted:
                continue
            except SourceError as error:
                log.debug("camera %s: the subscription was not given back: %s", self._name, error)
            return

    def _ask(self, client: OnvifClient, held: Subscription, action: str, body: str, deadline: Deadline | None = None) -> Node:
        return self._post(client, held.address, held.said, action, body, held.parameters, deadline)

    def _post(
        self,
        client: OnvifClient,
        url: str,
        to: str,
        action: str,
        body: str,
        parameters: str = "",
        deadline: Deadline | None = None,
    ) -> Node:
        headers = subscription.addressing(action, to, str(uuid.uuid4()), parameters)
        return client.post(url, action, body, deadline, addressing=headers)
