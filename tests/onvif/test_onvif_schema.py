"""Requests written by zeep from onvif-zeep's WSDL files."""

from __future__ import annotations

import importlib.metadata

import pytest

from gateway.errors import ProtocolError
from gateway.onvif import schema
from gateway.onvif.reader import Node, parse
from gateway.onvif.schema import Service, Wsdl

ANSWER = Node("answer", {}, "", ())


def written(wsdl, operation, **arguments):
    sent = []

    def post(address, action, body):
        sent.append((address, action, parse(body.encode())))
        return ANSWER

    assert Service(wsdl, "http://cam/x", post).call(operation, **arguments) is ANSWER
    return sent[0]


def test_request_is_written_from_the_schema():
    address, action, body = written(
        Wsdl.MEDIA,
        "GetStreamUri",
        StreamSetup={"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}},
        ProfileToken="a<&b",
    )
    assert address == "http://cam/x"
    assert action == "http://www.onvif.org/ver10/media/wsdl/GetStreamUri"
    assert body.text_at("StreamSetup", "Transport", "Protocol") == "RTSP"
    assert body.text_at("ProfileToken") == "a<&b"


def test_files_are_parsed_once():
    written(Wsdl.DEVICE, "GetSystemDateAndTime")
    first = schema._documents[Wsdl.DEVICE]
    written(Wsdl.DEVICE, "GetServices", IncludeCapability=False)
    assert schema._documents[Wsdl.DEVICE] is first


def test_schema_files_never_come_from_the_network():
    poster = schema._Poster(lambda address, action, body: ANSWER)
    with pytest.raises(OSError, match="not a local file"):
        poster.load("http://www.onvif.org/ver10/schema/onvif.xsd")


def test_missing_files_are_named(monkeypatch, tmp_path):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    monkeypatch.setattr(schema.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ProtocolError, match="WSDL files of onvif-zeep are not installed"):
        schema.wsdl_directory()
