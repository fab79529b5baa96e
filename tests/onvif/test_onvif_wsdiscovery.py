"""WS-Discovery messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif import reader, wsdiscovery
from gateway.onvif.wsdiscovery import Kind, parse, probe

MATCH = (
    '<?xml version="1.0"?><SOAP-ENV:Envelope xmlns:SOAP-ENV="http://www.w3.org/2003/05/soap-envelope"'
    ' xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
    ' xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"><SOAP-ENV:Header>'
    "<wsa:RelatesTo>urn:uuid:1</wsa:RelatesTo></SOAP-ENV:Header><SOAP-ENV:Body><d:ProbeMatches><d:ProbeMatch>"
    "<wsa:EndpointReference><wsa:Address>urn:uuid:cam</wsa:Address></wsa:EndpointReference>"
    "<d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>"
    "<d:Scopes>onvif://www.onvif.org/name/Front%20Door onvif://www.onvif.org/hardware/C1234\n"
    " onvif://www.onvif.org/location/city/Berlin onvif://www.onvif.org/Profile/Streaming</d:Scopes>"
    "<d:XAddrs>XADDRS</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion>"
    "</d:ProbeMatch></d:ProbeMatches></SOAP-ENV:Body></SOAP-ENV:Envelope>"
)


def match(xaddrs, sender="192.168.1.20"):
    message = parse(MATCH.replace("XADDRS", xaddrs).encode(), sender)
    assert message is not None
    return message


@pytest.mark.quirk(7)
def test_probe_is_on_one_line_and_asks_for_transmitters():
    data = probe("urn:uuid:7")
    assert b"\n" not in data
    assert b"> <" not in data
    root = reader.parse(data)
    assert root.find("Types").text == "dn:NetworkVideoTransmitter"
    assert root.find("MessageID").text == "urn:uuid:7"


def test_probe_without_types():
    assert reader.parse(probe("urn:uuid:7", typed=False)).find("Types").text == ""


def test_probe_match_is_read():
    message = match("http://192.168.1.20:8000/onvif/device_service")
    assert (message.kind, message.relates_to) == (Kind.MATCH, "urn:uuid:1")
    (device,) = message.devices
    assert device.endpoint == "urn:uuid:cam"
    assert device.address == "192.168.1.20:8000"
    assert device.types == ("NetworkVideoTransmitter", "Device")
    assert (device.name, device.hardware, device.location) == ("Front Door", "C1234", "city/Berlin")
    assert device.is_camera


def test_usual_port_is_not_shown():
    assert match("http://192.168.1.20/onvif/device_service").devices[0].address == "192.168.1.20"
    assert match("http://192.168.1.20:80/x").devices[0].address == "192.168.1.20"


@pytest.mark.quirk(2)
def test_nowhere_address_is_the_senders():
    assert match("http://0.0.0.0:8080/onvif/device_service").devices[0].address == "192.168.1.20:8080"


@pytest.mark.quirk(3)
def test_several_addresses_and_a_port_given_twice():
    (device,) = match("http://169.254.7.7/d http://192.168.1.20:8106:8106/d").devices
    assert device.xaddrs == ("http://192.168.1.20:8106/d", "http://169.254.7.7/d")


def test_ipv6_has_brackets():
    (device,) = match("http://[fd00::20]:8000/d", sender="fd00::20").devices
    assert device.address == "[fd00::20]:8000"


@pytest.mark.parametrize(("word", "kind"), [("Hello", Kind.HELLO), ("Bye", Kind.BYE)])
def test_hello_and_bye_without_namespaces(word, kind):
    text = (
        f"<Envelope><Body><{word}><EndpointReference><Address>urn:uuid:9</Address></EndpointReference>"
        f"</{word}></Body></Envelope>"
    )
    message = parse(text.encode(), "10.0.0.1")
    assert message.kind is kind
    assert message.devices[0].endpoint == "urn:uuid:9"
    assert message.devices[0].address == "10.0.0.1"


def test_device_without_endpoint_reference_is_known_by_its_address():
    message = parse(b"<E><ProbeMatch><XAddrs>http://10.0.0.3:81/onvif/d</XAddrs></ProbeMatch></E>", "10.0.0.3")
    assert message.devices[0].endpoint == "address:10.0.0.3:81"


def test_printer_is_no_camera():
    text = (
        "<E><ProbeMatch><EndpointReference><Address>urn:uuid:p</Address></EndpointReference>"
        "<Types>wsdp:Device print:PrintDeviceType</Types><XAddrs>http://10.0.0.3/wsd</XAddrs></ProbeMatch></E>"
    )
    assert not parse(text.encode(), "10.0.0.3").devices[0].is_camera


def test_control_characters_in_a_name_are_dropped():
    (device,) = parse(
        b"<E><ProbeMatch><Scopes>onvif://www.onvif.org/name/a%1B%5B31mb</Scopes><XAddrs>http://h/</XAddrs></ProbeMatch></E>",
        None,
    ).devices
    assert device.name == "a[31mb"


def test_merge_keeps_what_only_one_announcement_told():
    full = match("http://192.168.1.20/d").devices[0]
    bare = wsdiscovery.Device("urn:uuid:cam", "127.0.0.1", ("http://127.0.0.1/d",))
    merged = wsdiscovery.merge(bare, full)
    assert merged.name == "Front Door"
    assert merged.xaddrs == ("http://127.0.0.1/d", "http://192.168.1.20/d")


def test_other_messages_are_not_understood():
    assert parse(probe("urn:uuid:7"), "10.0.0.1") is None
    assert parse(b"M-SEARCH * HTTP/1.1\r\n\r\n", "10.0.0.1") is None


@given(st.binary(max_size=2000), st.sampled_from([None, "10.0.0.1", "fe80::1", "nonsense"]))
def test_garbage_never_raises(data, sender):
    parse(data, sender)


@given(st.integers(min_value=0, max_value=len(MATCH) - 1), st.binary(max_size=20))
def test_damaged_matches_never_raise(at, junk):
    data = MATCH.replace("XADDRS", "http://10.0.0.1/d").encode()
    parse(data[:at] + junk + data[at + 1 :], "10.0.0.1")
    parse(data[:at], "10.0.0.1")


@given(st.text(max_size=200))
def test_any_address_text_never_raises(text):
    parse(MATCH.replace("XADDRS", text).encode(errors="replace"), "10.0.0.1")
