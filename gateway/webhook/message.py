"""What a webhook is sent, and its signature (Standard Webhooks 1.0.0, standardwebhooks.com). Pure.

The signature is over `<id>.<timestamp>.<body>`, so that neither an old message nor a changed one can be played again. A secret
written `whsec_<base64>`, as other programs make them, stands for its bytes; any other text stands for itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from gateway.journal.incident import Change, Incident
from gateway.redact import redact

SECRET_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to be told. `id` is the same at every attempt: a receiver that has seen it need not act again."""

    id: str
    body: bytes


def make_message(change: Change, site: str, camera_name: str, at: float) -> Message:
    """The message about a change at `at` (Unix seconds)."""
    incident = change.incident
    payload = {
        "type": f"incident.{change.step.value}",
        "timestamp": round(at, 3),
        "site": site,
        "incident": incident_json(incident) | {"camera_name": camera_name or None},
    }
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    return Message(f"{incident.id}-{change.step.value}-{round(at * 1000)}", body)


def incident_json(incident: Incident) -> dict[str, Any]:
    """An incident as API and webhooks show it. Times are Unix seconds; `camera` is null for the gateway's own."""
    return {
        "id": incident.id,
        "camera": incident.camera or None,
        "kind": incident.kind.value,
        "code": incident.code,
        "reason": redact(incident.reason),
        "began": round(incident.began, 3),
        "ended": round(incident.ended, 3) if incident.ended is not None else None,
        "count": incident.count,
    }


def signature_headers(message: Message, secret: str | None, at: float) -> tuple[tuple[str, str], ...]:
    """The headers of an attempt made at `at`."""
    stamp = str(int(at))
    headers = (("webhook-id", message.id), ("webhook-timestamp", stamp))
    if secret is None:
        return headers
    signed = f"{message.id}.{stamp}.".encode() + message.body
    digest = hmac.digest(_key(secret), signed, hashlib.sha256)
    return (*headers, ("webhook-signature", "v1," + base64.b64encode(digest).decode()))


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
        except binascii.Error:
            pass  # then it is just a text that begins so
    return secret.encode()
