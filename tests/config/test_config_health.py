"""The sections `metrics`, `incidents` and `webhooks`: what is read, and the one message for what is wrong."""

from __future__ import annotations

import pytest

from gateway.config.model import Webhook
from gateway.config.secrets import Secret
from gateway.errors import ConfigError
from gateway.journal.kinds import IncidentKind


def test_everything_is_read(folder):
    (folder.path / "own.crt").write_text("x")
    (folder.path / "hook.secret").write_text("from the file\n")
    folder.environ = {"S": "from the environment"}
    config = folder.load(
        """
metrics: {allow: ["10.0.0.5", "192.168.0.0/24", "fd00::/8"]}
incidents: {keep: 30d}
webhooks:
  - {url: "https://alerts.example/a?b=c", name: p, events: [offline, disk-low], secret: "${S}", timeout: 5s, ca_file: own.crt}
  - {url: "http://10.0.0.7:8080", secret_file: hook.secret}
"""
    )
    assert config.metrics.allow == ("10.0.0.5/32", "192.168.0.0/24", "fd00::/8")
    assert config.incidents.keep_s == 30 * 86400
    kinds = (IncidentKind.OFFLINE, IncidentKind.DISK_LOW)
    secret, file = Secret("from the environment"), folder.path / "own.crt"
    assert config.webhooks == (
        Webhook("https://alerts.example/a?b=c", "p", kinds, secret, True, file, 5.0),
        Webhook("http://10.0.0.7:8080", "2", (), Secret("from the file")),
    )
    assert "b=c" not in repr(config)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("metrics: {allow: [everybody]}", 'metrics.allow[0]: must be an address or a network, such as "10.0.0.5"'),
        ("metrics: {allow: [10.0.0.5/24]}", 'metrics.allow[0]: names an address and a network at once: write "10.0.0.0/24"'),
        ("incidents: {keep: 1h}", "incidents.keep: must be between 1d and"),
        ("webhooks: [{name: x}]", "webhooks[0].url: is missing"),
        ("webhooks: [{url: 'ftp://x/'}]", "webhooks[0].url: must start with http:// or https://"),
        ("webhooks: [{url: 'https://u:p@x.example/'}]", "webhooks[0].url: has no valid host after //"),
        ("webhooks: [{url: 'https://x.example/ä'}]", "webhooks[0].url: has no valid host after //"),
        ("webhooks: [{url: 'http://x/', verify: false}]", "webhooks[0].verify: is for https only"),
        ("webhooks: [{url: 'http://x/', secret: ''}]", "webhooks[0].secret: is empty"),
        ("webhooks: [{url: 'http://x/', events: [rain]}]", "webhooks[0].events[0]: "),
        ("webhooks: [{url: 'http://x/', name: '2'}, {url: 'http://y/'}]", "webhooks: gives a name twice"),
        ("webhooks: {url: 'http://x/'}", 'webhooks: must be a list: lines that start with "- "'),
    ],
)
def test_mistakes_have_one_message_that_names_the_place_and_no_value(folder, text, finding):
    with pytest.raises(ConfigError) as error:
        folder.load(text)
    (found,) = error.value.findings
    assert finding in found
    assert "u:p" not in found


def test_a_reload_applies_these_sections_without_a_restart(folder):
    from gateway.config.diff import diff

    before = folder.load("site: x")
    after = folder.load("site: x\nmetrics: {allow: [10.0.0.5]}\nincidents: {keep: 30d}\nwebhooks: [{url: 'http://x/'}]")
    assert diff(before, after).restart_needed == ()
