"""All webhooks. A change of the configuration touches only those that changed. Event loop only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from gateway.config.model import Webhook
from gateway.journal.incident import Change
from gateway.webhook.delivery import Delivery, HookStatus
from gateway.webhook.message import make_message


class Hooks:
    """Who is told of what."""

    def __init__(self, make: Callable[[Webhook], Delivery] = Delivery, wall: Callable[[], float] = time.time) -> None:
        self._make = make
        self._wall = wall
        self._deliveries: list[Delivery] = []
        self._ending: set[asyncio.Task[None]] = set()

    def configure(self, hooks: Sequence[Webhook]) -> None:
        """Have exactly these: new ones start, missing ones end, the rest keeps what waits."""
        kept = {delivery.hook: delivery for delivery in self._deliveries}
        self._deliveries = []
        for hook in hooks:
            delivery = kept.pop(hook, None)
            if delivery is None:
                delivery = self._make(hook)
                delivery.start()
            self._deliveries.append(delivery)
        for gone in kept.values():
            ending = asyncio.get_running_loop().create_task(gone.stop())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    def tell(self, change: Change, site: str, camera_name: str) -> None:
        """Queue a message for every hook that wants this kind."""
        wanting = [one for one in self._deliveries if not one.hook.events or change.incident.kind in one.hook.events]
        if wanting:
            message = make_message(change, site, camera_name, self._wall())
            for delivery in wanting:
                delivery.put(message)

    def status(self) -> tuple[HookStatus, ...]:
        """In the order of the configuration."""
        return tuple(delivery.status() for delivery in self._deliveries)

    async def stop(self) -> None:
        """End all."""
        deliveries, self._deliveries = self._deliveries, []
        await asyncio.gather(*(delivery.stop() for delivery in deliveries), *self._ending)
