"""A camera's history can be asked from the journal by fields, and nothing is lost where there is no journal."""

from __future__ import annotations

import io
import logging
import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.systemd.journal import STATE_CHANGED, JournalHandler, change, encode, is_journal

NAMES = ("MESSAGE", "CAMERA", "CODE")


def entry(datagram: bytes) -> dict[str, str]:
    """Reads the native protocol, as journald does."""
    found = {}
    while datagram:
        end = datagram.index(b"\n")
        name, equals, value = datagram[:end].partition(b"=")
        rest = datagram[end + 1 :]
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        found[name.decode()] = value.decode()
        datagram = rest
    return found


@pytest.fixture
def logger():
    made = logging.getLogger("gateway.sources.rtsp")
    made.setLevel(logging.INFO)
    yield made
    for handler in made.handlers[:]:
        made.removeHandler(handler)
        handler.close()
    made.setLevel(logging.NOTSET)


def test_a_change_of_state_has_the_cameras_id_its_code_and_the_message_id(ear, logger):
    logger.addHandler(JournalHandler(io.StringIO(), ear.address))
    logger.warning("stream %s: %s after %.1f s", "yard.sub", "unreachable", 2.0, extra=change("unreachable"))
    assert entry(ear.next()) == {
        "MESSAGE": "stream yard.sub: unreachable after 2.0 s",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "camera-gateway",
        "LOGGER": "gateway.sources.rtsp",
        "CAMERA": "yard",
        "STREAM": "yard.sub",
        "CODE": "unreachable",
        "MESSAGE_ID": STATE_CHANGED,
    }
    logger.warning("stream %s: %s", "yard", "unreachable", extra=change("unreachable", before="unreachable"))
    again = entry(ear.next())
    assert (again["CODE"], "MESSAGE_ID" in again) == ("unreachable", False)
    logger.info("camera %s: listening to its events", "yard")
    assert entry(ear.next())["CAMERA"] == "yard"
    logger.info("%d cameras added", 3)
    assert "CAMERA" not in entry(ear.next())


def test_a_traceback_is_one_entry(ear, logger):
    logger.addHandler(JournalHandler(io.StringIO(), ear.address))
    try:
        int("one\ntwo")
    except ValueError:
        logger.exception("it failed")
    message = entry(ear.next())["MESSAGE"]
    assert message.startswith("it failed\nTraceback")
    assert message.endswith("'one\\ntwo'")


def test_without_a_journal_it_is_a_line_with_a_priority(logger, tmp_path):
    out = io.StringIO()
    logger.addHandler(JournalHandler(out, str(tmp_path / "nobody")))
    logger.error("one\ntwo")
    assert out.getvalue() == "<3>gateway.sources.rtsp: one\n<3>two\n"


def test_what_no_datagram_holds_is_a_line(ear, logger):
    out = io.StringIO()
    logger.addHandler(JournalHandler(out, ear.address))
    logger.error("x" * (1 << 22))
    assert out.getvalue().startswith("<3>gateway.sources.rtsp: xxx")


@pytest.mark.timeout(20)
def test_a_journal_that_hangs_stops_nobody_and_is_told_what_it_missed(ear, logger):
    out = io.StringIO()
    logger.addHandler(JournalHandler(out, ear.address))
    sent = 2000  # a queue holds some hundreds at most (net.unix.max_dgram_qlen)
    for number in range(sent):
        logger.info("entry %d %s", number, "x" * 1000)
    assert entry(ear.next())["MESSAGE"].startswith("entry 0 ")
    assert entry(ear.next())["MESSAGE"].startswith("entry 1 ")
    logger.warning("back")
    messages = []
    while not messages or messages[-1] != "back":
        messages.append(entry(ear.next())["MESSAGE"])
    lost = sent - 2 - (len(messages) - 2)
    assert lost > 0
    assert messages[-2] == f"{lost} log entries were lost: the journal took no more"
    assert out.getvalue() == ""


def test_only_what_goes_to_the_journal_is_taken_for_it(tmp_path):
    with (tmp_path / "log").open("w") as file:
        status = os.fstat(file.fileno())
        assert is_journal({"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}, file)
        assert not is_journal({"JOURNAL_STREAM": "1:2"}, file)
        assert not is_journal({}, file)
    assert not is_journal({"JOURNAL_STREAM": "1:2"}, io.StringIO())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.text()), unique_by=lambda pair: pair[0]))
def test_any_text_arrives_as_it_was(pairs):
    assert entry(encode(iter(pairs))) == dict(pairs)
