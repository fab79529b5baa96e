"""Secrets that systemd hands over reach the configuration, and what is missing is named without being shown."""

from __future__ import annotations

import pytest

from gateway.config.load import load
from gateway.config.secrets import expand
from gateway.errors import ConfigError


@pytest.mark.parametrize("file", ["front-door", "credentials_front-door"])
def test_a_credential_is_found_under_its_own_name_and_in_a_loaded_folder(tmp_path, file):
    (tmp_path / file).write_text("s3cret\n")
    assert expand("a${credential:front-door}b", {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "as3cretb"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${credential:other}", "there is no credential other"),
        ("${credential:two}", "credential two: the file must hold one line"),
        ("${credential:../shadow}", '"\\${" must be followed by'),
        ("${credential:}", '"\\${" must be followed by'),
    ],
)
def test_what_cannot_be_used_is_said(tmp_path, text, message):
    (tmp_path / "two").write_text("one\ntwo\n")
    with pytest.raises(ValueError, match=message):
        expand(text, {"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_outside_of_the_service_it_is_said_why(tmp_path):
    with pytest.raises(ValueError, match="credential door is known to the service only"):
        expand("${credential:door}", {})


def test_passwords_addresses_and_keys_may_be_credentials(tmp_path):
    credentials = tmp_path / "run"
    credentials.mkdir()
    (credentials / "credentials_door").write_text("p:w@1/2")
    config = tmp_path / "config.yaml"
    config.write_text(
        "cameras:\n"
        "  door: {address: 10.0.0.5, username: admin, password: '${credential:door}'}\n"
        "  yard: {rtsp: 'rtsp://admin:${credential:door}@10.0.0.6/live'}\n"
        "  pushed: {rtsp: 'rtsp://10.0.0.7/live', push: ['rtmp://media.example/live/${credential:door}']}\n"
    )
    found = load(config, {"CREDENTIALS_DIRECTORY": str(credentials)})
    door, yard, pushed = found.cameras
    assert door.password.reveal() == yard.password.reveal() == "p:w@1/2"
    assert pushed.push[0].key.reveal() == "p:w@1/2"
    with pytest.raises(ConfigError, match=r"config.yaml:2: cameras.door.password: credential door is known"):
        load(config, {})
