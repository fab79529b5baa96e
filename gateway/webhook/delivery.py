"""Delivers messages to one hook, one at a time and in order, for as long as it takes. Event loop only.

A server that is away gets every message when it is back, unless more wait than the queue holds (then the oldest go) or one
has waited `EXPIRES_S`. A server that says a message is wrong (4xx) is not asked again with the same one.
"""

from __future__ import annotations

import asyncio
import enum
import logging
import random
import ssl
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway.config.model import Webhook
from gateway.webhook.message import Message, signature_headers
from gateway.webhook.post import Answer, PostFailed, post

log = logging.getLogger(__name__)

QUEUE_MESSAGES = 200
EXPIRES_S = 24 * 3600.0
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 300.0
MAX_RETRY_AFTER_S = 3600.0
_TRY_AGAIN = frozenset({408, 409, 425, 429})

Post = Callable[..., Awaitable[Answer]]


class Outcome(enum.Enum):
    """What became of a message or an attempt. The values are labels of a metric."""

    DELIVERED = "delivered"
    FAILED = "failed"
    """An attempt; it is tried again."""
    REFUSED = "refused"
    """The server does not want this message."""
    DROPPED = "dropped"
    """It waited too long, or too many did."""


@dataclass(frozen=True, slots=True)
class HookStatus:
    """A hook at one moment. Times are Unix seconds; free of secrets."""

    name: str
    url: str
    """Scheme and host only: paths of webhooks are often secret."""
    waiting: int
    last_delivered: float | None
    trouble: str
    """Why the oldest waiting message is not delivered yet; empty while all is well."""
    outcomes: dict[str, int]


class Delivery:
    """One hook between `start` and `stop`."""

    def __init__(
        self,
        hook: Webhook,
        *,
        send: Post = post,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        first_retry_s: float = FIRST_RETRY_S,
    ) -> None:
        self.hook = hook
        self.outcomes: Counter[Outcome] = Counter()
        self._send = send
        self._monotonic = monotonic
        self._wall = wall
        self._first_retry_s = first_retry_s
        self._queue: deque[tuple[Message, float]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._tls: ssl.SSLContext | None = None
        self._trouble = ""
        self._last_delivered: float | None = None

    @property
    def shown(self) -> str:
        """The address without anything secret."""
        parts = urlsplit(self.hook.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"

    def status(self) -> HookStatus:
        """As it is now."""
        outcomes = {outcome.value: self.outcomes[outcome] for outcome in Outcome}
        return HookStatus(self.hook.name, self.shown, len(self._queue), self._last_delivered, self._trouble, outcomes)

    def start(self) -> None:
        """Begin. Needs a running loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"webhook {self.hook.name}")

    async def stop(self) -> None:
        """End at once; what waits is lost."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def put(self, message: Message) -> None:
        """Have it delivered."""
        if len(self._queue) >= QUEUE_MESSAGES:
            # not the first: it may be under way
            del self._queue[1]
            self.outcomes[Outcome.DROPPED] += 1
        self._queue.append((message, self._monotonic()))
        self._wake.set()

    async def _run(self) -> None:
        retry_s = self._first_retry_s
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            message, since = self._queue[0]
            outcome, wait_s = await self._attempt(message)
            if outcome is Outcome.FAILED and self._monotonic() - since < EXPIRES_S:
                self.outcomes[Outcome.FAILED] += 1
                await asyncio.sleep(max(wait_s, retry_s * random.uniform(0.8, 1.2)))
                retry_s = min(LAST_RETRY_S, retry_s * 2)
                continue
            retry_s = self._first_retry_s
            self.outcomes[Outcome.DROPPED if outcome is Outcome.FAILED else outcome] += 1
            self._queue.popleft()

    async def _attempt(self, message: Message) -> tuple[Outcome, float]:
        """What became of it, and how long the server wants to be left alone."""
        hook = self.hook
        secret = hook.secret.reveal() if hook.secret is not None else None
        try:
            if hook.url.startswith("https:") and self._tls is None:
                self._tls = await asyncio.to_thread(_context, hook)
            headers = signature_headers(message, secret, self._wall())
            answer = await self._send(hook.url, message.body, headers, timeout_s=hook.timeout_s, tls=self._tls)
        except (PostFailed, OSError) as error:
            self._complain(str(error))
            self._tls = None  # the authority in `ca_file` may be replaced before the next attempt
            return Outcome.FAILED, 0.0
        except Exception:
            log.exception("webhook %s failed", hook.name)
            self._complain("a defect of the gateway; its log says more")
            return Outcome.FAILED, 0.0
        if 200 <= answer.status < 300:
            if self._trouble:
                log.info("webhook %s (%s): messages are taken again", hook.name, self.shown)
            self._trouble = ""
            self._last_delivered = self._wall()
            return Outcome.DELIVERED, 0.0
        self._complain(f"the server answers {answer.status}")
        if 400 <= answer.status < 500 and answer.status not in _TRY_AGAIN:
            return Outcome.REFUSED, 0.0
        return Outcome.FAILED, min(answer.retry_after_s or 0.0, MAX_RETRY_AFTER_S)

    def _complain(self, trouble: str) -> None:
        if trouble != self._trouble:
            log.warning("webhook %s (%s): %s", self.hook.name, self.shown, trouble)
        self._trouble = trouble


def _context(hook: Webhook) -> ssl.SSLContext:
    """Who is trusted. Reading the system's authorities takes 20 ms; a worker thread does it. Raises OSError."""
    context = ssl.create_default_context(cafile=str(hook.ca_file) if hook.ca_file is not None else None)
    if not hook.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
