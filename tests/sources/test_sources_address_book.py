"""What is remembered survives a restart and a power cut, and nothing in the file can stop the gateway."""

from __future__ import annotations

import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.model import Camera
from gateway.private_files import write_atomically
from gateway.sources.address_book import FILE_NAME, AddressBook, decode
from gateway.sources.identity import Identity

CAM = Camera("cam", "Cam", address="10.0.0.5")
YARD = Camera("yard", "Yard", address="10.0.0.6")
WHO = Identity(("c0:56:e3:00:00:01",), "S1", "urn:uuid:1", "DS-2CD")


@pytest.fixture
def path(tmp_path):
    return tmp_path / FILE_NAME


def reopened(path):
    return AddressBook(path, write_atomically)


def test_it_is_all_there_after_a_restart(path):
    book = reopened(path)
    book.learn(CAM, WHO, "Hikvision", "DS-2CD2043")
    book.moved(CAM, "10.0.0.77")
    book.distrust(["urn:uuid:clone"])
    book.save()
    assert not book.dirty
    known = reopened(path).get(CAM)
    assert (known.identity, known.found, known.manufacturer, known.model) == (WHO, "10.0.0.77", "Hikvision", "DS-2CD2043")
    assert "urn:uuid:clone" in reopened(path).shared
    assert path.stat().st_mode & 0o777 == 0o600


def test_power_cut_while_writing_leaves_the_old_file(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    book.save()

    def cut(place, data):
        place.with_name(".half").write_bytes(data[: len(data) // 2])
        raise OSError(errno.EIO, "Input/output error")

    later = AddressBook(path, cut)
    later.moved(CAM, "10.0.0.77")
    later.save()
    assert later.dirty, "it is tried again"
    assert reopened(path).get(CAM).found == ""


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"version": 9, "cameras": {}}', b'{"version": 1, "cameras": []}', b"[" * 100_000],
)
def test_damaged_file_is_named_and_begun_anew(path, caplog, content):
    path.write_bytes(content)
    book = reopened(path)
    assert book.get(CAM) is None
    assert "learned anew" in caplog.text
    book.learn(CAM, WHO)
    book.save()
    assert reopened(path).get(CAM).identity == WHO


def test_full_disk_is_said_and_costs_nothing(path, caplog):
    def full(place, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    book = AddressBook(path, full)
    book.learn(CAM, WHO)
    book.save()
    assert book.get(CAM).identity == WHO
    assert "No space left" in caplog.text


def test_another_address_in_the_configuration_is_another_camera(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    elsewhere = Camera("cam", "Cam", address="10.0.0.9")
    assert book.get(elsewhere) is None
    book.moved(elsewhere, "10.0.0.10")
    assert book.get(elsewhere) is None
    book.learn(elsewhere, Identity(serial="S2"))
    assert book.get(elsewhere).identity.serial == "S2"
    assert book.get(CAM) is None


def test_back_at_its_configured_address(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    book.moved(CAM, "10.0.0.77")
    book.moved(CAM, "10.0.0.5")
    assert (book.get(CAM).found, book.get(CAM).moved_at) == ("", 0.0)


def test_cloned_serial_numbers_are_no_proof_but_those_of_one_recorder_are(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    book.learn(Camera("cam-2", "2", address=CAM.address, profile="2"), WHO)
    assert "S1" not in book.shared
    book.learn(YARD, WHO)
    assert "S1" in book.shared


def test_removed_cameras_are_forgotten(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    book.learn(YARD, WHO)
    book.retain({"yard"})
    book.forget("yard")
    book.save()
    assert json.loads(path.read_text())["cameras"] == {}


def test_unchanged_is_not_written(path):
    book = reopened(path)
    book.learn(CAM, WHO)
    book.save()
    book.learn(CAM, WHO)
    book.distrust([])
    assert not book.dirty


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(["configured", "found", "moved_at", "macs", "serial", "endpoint", "hardware"])


@given(st.dictionaries(st.text(max_size=4), JSON | st.dictionaries(FIELDS, JSON), max_size=3), JSON)
def test_whatever_stands_in_the_file_is_read_or_refused(cameras, shared):
    content = decode(json.dumps({"version": 1, "cameras": cameras, "shared": shared}).encode())
    for known in content.cameras.values():
        assert all(isinstance(one, str) for one in (known.configured, known.found, *known.identity.macs))


@given(st.binary(max_size=64))
def test_garbage_is_refused_with_one_kind_of_error(data):
    with pytest.raises(ValueError):
        decode(data)
