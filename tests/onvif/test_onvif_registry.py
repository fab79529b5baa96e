"""The inventory of discovered devices."""

from __future__ import annotations

from gateway.onvif.registry import MAX_ENTRIES, Change, Registry
from gateway.onvif.wsdiscovery import Device


def device(endpoint="urn:uuid:1", host="10.0.0.1", name="Gate"):
    return Device(endpoint, host, (f"http://{host}/onvif/device_service",), name=name)


def changes(events):
    return [event.change for event in events]


def test_new_then_seen_again():
    registry = Registry()
    assert changes(registry.seen([device()], 100.0)) == [Change.NEW]
    assert registry.seen([device()], 160.0) == ()
    (entry,) = registry.entries()
    assert (entry.first_seen, entry.last_seen, entry.gone) == (100.0, 160.0, False)


def test_dhcp_moves_a_camera():
    registry = Registry()
    registry.seen([device()], 100.0)
    (event,) = registry.seen([device(host="10.0.0.7")], 200.0)
    assert event.change is Change.MOVED
    assert event.entry.previous_address == "10.0.0.1"
    assert event.entry.device.xaddrs == ("http://10.0.0.7/onvif/device_service",)
    assert event.entry.first_seen == 100.0


def test_camera_seen_on_two_networks_does_not_move_to_and_fro():
    one, two = "http://10.0.0.1/onvif/device_service", "http://10.9.0.1/onvif/device_service"
    registry = Registry()
    registry.seen([Device("urn:uuid:1", "10.0.0.1", (one, two))], 0.0)
    assert registry.seen([Device("urn:uuid:1", "10.9.0.1", (two, one))], 60.0) == ()
    (entry,) = registry.entries()
    assert (entry.device.address, entry.device.xaddrs) == ("10.0.0.1", (one, two))


def test_hello_without_addresses_keeps_the_known_ones():
    registry = Registry()
    registry.seen([device()], 0.0)
    assert registry.seen([Device("urn:uuid:1", "", ())], 60.0) == ()
    assert registry.entries()[0].device == device()


def test_gone_and_back():
    registry = Registry(gone_after_s=180)
    registry.seen([device()], 0.0)
    assert registry.expire(180.0) == ()
    assert changes(registry.expire(181.0)) == [Change.GONE]
    assert registry.expire(300.0) == ()
    assert changes(registry.seen([device()], 400.0)) == [Change.BACK]


def test_bye_marks_at_once():
    registry = Registry()
    registry.seen([device()], 0.0)
    assert changes(registry.bye("urn:uuid:1")) == [Change.GONE]
    assert registry.bye("urn:uuid:1") == ()
    assert registry.bye("urn:uuid:unknown") == ()


def test_firmware_that_makes_up_a_new_endpoint_at_every_start():
    registry = Registry()
    registry.seen([device()], 0.0)
    assert registry.seen([device(endpoint="urn:uuid:2")], 60.0) == ()
    (entry,) = registry.entries()
    assert (entry.device.endpoint, entry.first_seen) == ("urn:uuid:2", 0.0)
    assert registry.get("urn:uuid:1") is None


def test_forgotten_after_long_absence():
    registry = Registry(gone_after_s=10, forget_after_s=100)
    registry.seen([device()], 0.0)
    assert changes(registry.expire(101.0)) == [Change.GONE]
    assert registry.entries() == ()


def test_invented_devices_do_not_fill_the_memory():
    registry = Registry()
    for number in range(0, MAX_ENTRIES + 10, 47):
        some = [device(f"urn:uuid:{one}", f"10.{one >> 8}.{one & 255}.1") for one in range(number, number + 47)]
        registry.seen(some, float(number))
    assert len(registry.entries()) == MAX_ENTRIES
    assert registry.get("urn:uuid:0") is None


MAC, OTHER_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"


def test_two_cameras_with_the_same_endpoint_reference_are_two_and_do_not_move():
    registry = Registry()
    both = [device(host="10.0.0.1"), device(host="10.0.0.2")]
    assert changes(registry.seen(both, 0.0)) == [Change.NEW, Change.NEW]
    for now in (60.0, 120.0):
        assert registry.seen(tuple(reversed(both)), now) == ()
    assert registry.shared_endpoints() == {"urn:uuid:1"}
    assert [entry.device.address for entry in registry.entries()] == ["10.0.0.1", "10.0.0.2"]


def test_hardware_address_keeps_a_camera_apart_from_one_with_its_endpoint_reference():
    registry = Registry()
    registry.seen([device(host="10.0.0.1")], 0.0, {"10.0.0.1": MAC})
    (event,) = registry.seen([device(host="10.0.0.2")], 60.0, {"10.0.0.2": OTHER_MAC})
    assert event.change is Change.NEW
    assert len(registry.entries()) == 2


def test_restart_with_a_new_address_and_a_new_endpoint_reference_is_known_by_the_hardware_address():
    registry = Registry()
    registry.seen([device(host="10.0.0.1")], 0.0, {"10.0.0.1": MAC})
    (event,) = registry.seen([device("urn:uuid:2", "10.0.0.7")], 60.0, {"10.0.0.7": MAC})
    assert (event.change, event.entry.previous_address) == (Change.MOVED, "10.0.0.1")
    assert len(registry.entries()) == 1


def test_stranger_at_the_address_of_another_device_is_new():
    registry = Registry()
    registry.seen([device(host="10.0.0.1")], 0.0, {"10.0.0.1": MAC})
    (event,) = registry.seen([device("urn:uuid:9", "10.0.0.1")], 60.0, {"10.0.0.1": OTHER_MAC})
    assert (event.change, event.entry.mac) == (Change.NEW, OTHER_MAC)


def test_device_on_this_machine_answers_on_each_of_its_addresses_and_is_one():
    registry = Registry()
    own = ("127.0.0.1", "10.0.0.1")
    registry.seen([device(host="127.0.0.1")], 0.0, own=own)
    assert registry.seen([device(host="10.0.0.1")], 60.0, own=own) == ()
    assert len(registry.entries()) == 1


def test_bye_of_one_of_two_with_the_same_endpoint_reference():
    registry = Registry()
    registry.seen([device(host="10.0.0.1"), device(host="10.0.0.2")], 0.0)
    (event,) = registry.bye("urn:uuid:1", "10.0.0.2")
    assert event.entry.device.address == "10.0.0.2"


def test_camera_that_answers_at_both_places_while_it_moves_is_one():
    registry = Registry()
    registry.seen([device(host="10.0.0.1")], 0.0, {"10.0.0.1": MAC})
    both = {"10.0.0.1": MAC, "10.0.0.7": MAC}
    registry.seen([device(host="10.0.0.1"), device(host="10.0.0.7")], 60.0, both)
    assert registry.shared_endpoints() == frozenset()
    registry.seen([device(host="10.0.0.7")], 120.0, both)
    assert [entry.device.address for entry in registry.entries()] == ["10.0.0.7"]


def test_one_round_is_not_enough_to_call_an_endpoint_reference_cloned_but_two_hardware_addresses_are():
    registry = Registry()
    both = [device(host="10.0.0.1"), device(host="10.0.0.7")]
    registry.seen(both[:1], 0.0)
    registry.seen(both, 60.0)
    assert registry.shared_endpoints() == frozenset()
    registry.seen(both, 120.0)
    assert registry.shared_endpoints() == {"urn:uuid:1"}
    at_once = Registry()
    at_once.seen(both, 0.0, {"10.0.0.1": MAC, "10.0.0.7": OTHER_MAC})
    assert at_once.shared_endpoints() == {"urn:uuid:1"}
