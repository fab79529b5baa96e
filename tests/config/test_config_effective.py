"""The configuration as the settings page shows it: complete, with places, and without a single secret."""

from __future__ import annotations

from gateway.config.effective import Line, lines
from gateway.config.load import read

SECRETS = ("hunter1", "hunter2", "hunter3", "hunter4", "hunter5", "hunter6", "hunter7", "hunter8", "hunter9")
SECRETS += ("hunterA", "hunterB", "hunterC", "hunterD")


def shown(folder, text: str) -> tuple[Line, ...]:
    reading = read(folder.write(text), folder.environ)
    assert reading.findings == ()
    return lines(reading)


def by_key(found: tuple[Line, ...], key: str) -> Line:
    return next(line for line in found if line.key == key)


def test_no_secret_is_shown_wherever_it_may_stand(folder):
    folder.environ["ENV_SECRET"] = "hunter1"
    folder.write("hunter2\n", "nvr.password")
    found = shown(
        folder,
        """
        discovery:
          credentials:
            - {username: admin, password: "${ENV_SECRET}"}
        onvif: {username: nvr, password_file: nvr.password}
        cameras:
          a: {rtsp: "rtsp://user:hunter3@10.0.0.1/live?token=hunter4", sub: "rtsp://10.0.0.1/user=a_password=hunter5_x"}
          b: {rtsp: rtsp://10.0.0.2/live, username: u, password: hunter6}
          c:
            publish: {key: hunter7}
            push:
              - rtmp://media.example/live/hunter8
              - {url: "rtmp://media.example/app", key: hunter9}
        webhooks:
          - {url: "https://hooks.slack.example/services/T0/hunterA?x=hunterB", name: chat, secret: hunterC}
          - url: http://10.0.0.9:8123/api/webhook/hunterD
        """,
    )
    text = "\n".join(f"{line.key}: {line.value}" for line in found)
    assert not [secret for secret in SECRETS if secret in text], text
    assert by_key(found, "password_file").value == "nvr.password"
    assert text.count("***") >= 8
    assert [line.value for line in found if line.value.startswith("http")] == [
        "https://hooks.slack.example/***", "http://10.0.0.9:8123/***",
    ]  # fmt: skip


def test_a_key_whose_name_says_secret_is_hidden_although_its_type_does_not(folder, monkeypatch):
    from gateway.config import effective

    for name in ("password_hash", "session_token", "api_key", "key"):
        assert effective._text(name, "hunter2", None) == "***"


def test_lines_say_where_they_stand_and_defaults_stand_nowhere(folder):
    folder.write("cameras:\n  gate:\n    rtsp: rtsp://10.0.0.2/live\n", "conf.d/gate.yaml")
    found = shown(folder, "site: Shed\nhls:\n  part: 300ms\nviews:\n  doors: {cameras: [gate], layout: 1+5}\n")
    assert found[0] == Line(0, "site", "Shed", "config.yaml", 1)
    assert by_key(found, "part") == Line(1, "part", "300ms", "config.yaml", 3)
    assert by_key(found, "window") == Line(1, "window", "12s")
    assert by_key(found, "window").is_default
    assert by_key(found, "gate") == Line(1, "gate", "", "conf.d/gate.yaml", 2)
    assert by_key(found, "rtsp").value == "off"
    assert (by_key(found, "layout").value, by_key(found, "data_dir").value) == ("1+5", str(folder.path / "data"))


def test_a_refused_reading_shows_nothing(folder):
    assert lines(read(folder.write("sitte: x\n"), {})) == ()


def test_files_that_values_name_are_known_also_when_they_do_not_exist(folder):
    reading = read(folder.write("cameras:\n  a: {rtsp: rtsp://h/x, username: u, password_file: away.password}\n"), {})
    assert reading.config is None
    assert reading.named == {folder.path / "away.password"}
