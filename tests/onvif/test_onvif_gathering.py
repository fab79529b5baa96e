"""Which answers of a search are one device."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif.gathering import MAX_DEVICES, MAX_WITH_ONE_ENDPOINT, Gathering, order
from gateway.onvif.wsdiscovery import Device


def device(endpoint="urn:uuid:1", *xaddrs, types=("NetworkVideoTransmitter",)):
    xaddrs = xaddrs or ("http://10.0.0.1/onvif/device_service",)
    return Device(endpoint, xaddrs[0].split("/")[2], xaddrs, types=types)


def gathered(*devices, own=()):
    gathering = Gathering(own)
    for one in devices:
        gathering.add(one)
    return [(one.endpoint, one.address) for one in gathering.cameras()]


def test_several_answers_of_one_device_are_one():
    one = device("urn:uuid:1", "http://10.0.0.1/a", "http://10.9.0.1/a")
    assert gathered(one, device("urn:uuid:1", "http://10.9.0.1/a"), one) == [("urn:uuid:1", "10.0.0.1")]


def test_cameras_with_a_cloned_endpoint_reference_stay_apart():
    found = gathered(device("urn:uuid:1", "http://10.0.0.1/a"), device("urn:uuid:1", "http://10.0.0.2/a"))
    assert found == [("urn:uuid:1", "10.0.0.1"), ("urn:uuid:1", "10.0.0.2")]


def test_device_on_this_machine_is_one_whatever_the_address():
    here = [device("urn:uuid:1", "http://127.0.0.1:81/a"), device("urn:uuid:1", "http://10.0.0.5:81/a")]
    assert len(gathered(*here, own=("127.0.0.1", "10.0.0.5"))) == 1
    assert len(gathered(*here)) == 2


def test_another_endpoint_reference_for_each_kind_of_probe_is_one_device():
    assert len(gathered(device("urn:uuid:1"), device("urn:uuid:2"))) == 1


def test_printer_is_left_out():
    assert gathered(device("urn:uuid:p", "http://10.0.0.3/print", types=("PrintDeviceType",))) == []


def test_invented_devices_are_bounded():
    gathering = Gathering()
    for number in range(MAX_DEVICES + 50):
        gathering.add(device(f"urn:uuid:{number}", f"http://10.0.{number >> 8}.{number & 255}/a"))
        gathering.add(device("urn:uuid:same", f"http://10.1.{number >> 8}.{number & 255}/a"))
    found = gathering.cameras()
    assert len(found) <= MAX_DEVICES
    assert sum(one.endpoint == "urn:uuid:same" for one in found) <= MAX_WITH_ONE_ENDPOINT


def test_addresses_sort_as_numbers():
    texts = ["192.168.1.10", "cam.local", "192.168.1.9:8000", "192.168.1.9"]
    assert sorted(texts, key=order) == ["192.168.1.9", "192.168.1.9:8000", "192.168.1.10", "cam.local"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["10.0.0.1", "10.0.0.2", "fe80::1%eth0"])), max_size=12))
def test_order_of_arrival_does_not_change_what_is_found(answers):
    made = [device(f"urn:uuid:{name}", f"http://{f'[{host}]' if ':' in host else host}/onvif/d") for name, host in answers]
    assert sorted(gathered(*made)) == sorted(gathered(*made)) and len(gathered(*made)) == len(gathered(*reversed(made)))
