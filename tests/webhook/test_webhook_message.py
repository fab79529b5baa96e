"""What a receiver gets, and that it can check it the way Standard Webhooks says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from gateway.journal.incident import Change, Incident, Step
from gateway.journal.kinds import IncidentKind
from gateway.webhook.message import make_message, signature_headers

INCIDENT = Incident(7, "door", IncidentKind.OFFLINE, "unreachable", "rtsp://admin:hunter22@10.0.0.9: no route", 1.0, None, 2)


def test_the_body_tells_what_began_and_no_password():
    message = make_message(Change(Step.BEGAN, INCIDENT), "Lager 3 – 仓库", "Front door", 12.3456)
    body = json.loads(message.body)
    assert body["type"] == "incident.began"
    assert body["site"] == "Lager 3 – 仓库"
    assert body["incident"]["camera"] == "door"
    assert body["incident"]["camera_name"] == "Front door"
    assert (body["incident"]["ended"], body["incident"]["count"]) == (None, 2)
    assert b"hunter22" not in message.body


def test_the_signature_is_the_one_of_the_specifications_example():
    """The example of standardwebhooks.com's reference libraries."""
    from gateway.webhook.message import Message

    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    message = Message("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}')
    headers = dict(signature_headers(message, secret, 1614265330))
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_plain_secret_stands_for_itself_and_none_signs_nothing():
    message = make_message(Change(Step.ENDED, INCIDENT), "", "", 5.0)
    headers = dict(signature_headers(message, "geheim", 77.9))
    signed = b".".join([message.id.encode(), b"77", message.body])
    expected = base64.b64encode(hmac.new(b"geheim", signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert "webhook-signature" not in dict(signature_headers(message, None, 5.0))
