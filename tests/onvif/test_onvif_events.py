"""Notifications as cameras of several makers really send them, in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.onvif import events, reader
from gateway.onvif.events import Kind, Message
from gateway.onvif.reader import Node

UTC = "2026-05-04T03:02:01Z"


def notification(topic: str, data: str = "", source: str = "", operation: str = "Changed") -> str:
    return (
        f"<wsnt:NotificationMessage><wsnt:Topic>{topic}</wsnt:Topic><wsnt:Message>"
        f'<tt:Message UtcTime="{UTC}" PropertyOperation="{operation}"><tt:Source>{source}</tt:Source>'
        f"<tt:Data>{data}</tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>"
    )


def item(name: str, value: str) -> str:
    return f'<tt:SimpleItem Name="{name}" Value="{value}"/>'


def parse(*notifications: str) -> tuple[Message, ...]:
    reply = reader.parse(
        (
            "<s:Envelope><tev:PullMessagesResponse>" + "".join(notifications) + "</tev:PullMessagesResponse></s:Envelope>"
        ).encode()
    )
    assert reply is not None
    return events.parse_messages(reply.children[0])


@pytest.mark.parametrize(
    ("maker", "topic", "data", "kind", "on"),
    [
        ("ONVIF", "tns1:VideoSource/MotionAlarm", item("State", "true"), Kind.MOTION, True),
        ("Hikvision", "tns1:RuleEngine/CellMotionDetector/Motion", item("IsMotion", "false"), Kind.MOTION, False),
        ("Dahua", "tns1:RuleEngine/CellMotionDetector/Motion", item("IsMotion", "1"), Kind.MOTION, True),
        ("Bosch", "tns1:RuleEngine/MotionRegionDetector/Motion", item("State", "true"), Kind.MOTION, True),
        ("Axis", "tns1:RuleEngine/tnsaxis:VMD3/vmd3_video_1", item("areaid", "0") + item("active", "1"), Kind.MOTION, True),
        ("Axis", "tnsaxis:RuleEngine/VMD4/Camera1Profile1", item("active", "0"), Kind.MOTION, False),
        ("Axis", "tns1:VideoSource/tnsaxis:Tampering", item("tampering", "1"), Kind.TAMPER, True),
        ("Reolink", "tns1:RuleEngine/MyRuleDetector/PeopleDetect", item("State", "true"), Kind.PERSON, True),
        ("Reolink", "tns1:RuleEngine/MyRuleDetector/DogCatDetect", item("State", "false"), Kind.ANIMAL, False),
        ("Reolink", "tns1:RuleEngine/MyRuleDetector/Visitor", item("State", "true"), Kind.VISITOR, True),
        ("Tapo", "tns1:RuleEngine/TPSmartEventDetector/TPSmartEvent", item("IsVehicle", "true"), Kind.VEHICLE, True),
        ("Tapo", "tns1:RuleEngine/PeopleDetector/People", item("IsPeople", "true"), Kind.PERSON, True),
        ("Tapo", "tns1:RuleEngine/TamperDetector/Tamper", item("IsTamper", "true"), Kind.TAMPER, True),
        ("ONVIF", "tns1:VideoSource/GlobalSceneChange/ImagingService", item("State", "true"), Kind.TAMPER, True),
        ("ONVIF", "tns1:VideoSource/ImageTooDark/AnalyticsService", item("State", "true"), Kind.TAMPER, True),
        ("ONVIF", "tns1:Device/Trigger/DigitalInput", item("LogicalState", "true"), Kind.DIGITAL_INPUT, True),
        ("ONVIF", "tns1:Device/Trigger/Relay", item("LogicalState", "inactive"), Kind.RELAY, False),
        ("ONVIF", "tns1:RuleEngine/FieldDetector/ObjectsInside", item("IsInside", "true"), Kind.INTRUSION, True),
        ("ONVIF", "tns1:RuleEngine/LineDetector/Crossed", item("ObjectId", "15"), Kind.LINE_CROSSED, None),
        ("ONVIF", "tns1:AudioAnalytics/Audio/DetectedSound", item("isSoundDetected", "true"), Kind.SOUND, True),
        ("ONVIF", "tns1:Device/HardwareFailure/StorageFailure", item("Failed", "true"), Kind.STORAGE_FAILURE, True),
        ("no prefix", " VideoSource/MotionAlarm ", item("State", "TRUE"), Kind.MOTION, True),
    ],
)
def test_makers_words(maker: str, topic: str, data: str, kind: Kind, on: bool | None) -> None:
    operation = "" if on is None else "Changed"
    (message,) = parse(notification(topic, data, operation=operation))
    assert (message.kind, message.on, message.initial) == (kind, on, False)


@pytest.mark.parametrize(
    "text",
    [
        notification("tns1:Monitoring/ProcessorUsage", item("Value", "12")),
        notification("tns1:Media/ProfileChanged", item("Token", "1")),
        notification("tns1:VideoSource/MotionAlarm", item("State", "perhaps")),
        notification("", item("State", "true")),
        "<wsnt:NotificationMessage><wsnt:Topic>tns1:VideoSource/MotionAlarm</wsnt:Topic></wsnt:NotificationMessage>",
    ],
)
def test_what_is_not_understood_is_left_out(text: str) -> None:
    assert parse(text, notification("tns1:VideoSource/MotionAlarm", item("State", "1"))) == parse(
        notification("tns1:VideoSource/MotionAlarm", item("State", "1"))
    )


def test_sources_tell_inputs_apart() -> None:
    topic = "tns1:Device/Trigger/DigitalInput"
    first, second = parse(
        notification(topic, item("LogicalState", "true"), item("InputToken", "1"), "Initialized"),
        notification(topic, item("LogicalState", "true"), item("InputToken", "2"), "Deleted"),
    )
    assert (first.source, first.initial, first.on) == ("1", True, True)
    assert (second.source, second.initial, second.on) == ("2", False, False)


def test_an_answer_without_end_is_cut() -> None:
    assert len(parse(*[notification("tns1:VideoSource/MotionAlarm", item("State", "1"))] * 500)) == events.MAX_MESSAGES


words = st.sampled_from(["NotificationMessage", "Topic", "Message", "Source", "Key", "Data", "SimpleItem"])
texts = st.sampled_from(["", "true", "0", "tns1:VideoSource/MotionAlarm", "a/b/c", "/", ":"]) | st.text(max_size=6)
attributes = st.dictionaries(st.sampled_from(["Name", "Value", "PropertyOperation", "UtcTime"]), texts, max_size=3)
trees = st.recursive(
    st.builds(Node, words, attributes, texts, st.just(())),
    lambda inner: st.builds(Node, words, attributes, texts, st.lists(inner, max_size=4).map(tuple)),
    max_leaves=15,
)


@given(trees)
def test_any_answer_is_survived(reply: Node) -> None:
    for message in events.parse_messages(reply):
        assert isinstance(message.kind, Kind)
        assert message.source.isprintable()


@given(st.text(max_size=60))
def test_any_topic_is_survived(topic: str) -> None:
    kind = events.kind_of(events.plain_topic(topic))
    assert kind is None or isinstance(kind, Kind)
