"""What cameras report, in a few plain words: topics and messages of the ONVIF event service. Pure; any thread.

There are hundreds of topics for a dozen things. Prefixes and upper folders differ between makers, so a topic is told by
its last folders, and the state by the first item that is a yes or no. What is not understood is left out.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.onvif.reader import Node

MAX_MESSAGES = 100
"""In one answer; more is a defect."""
MAX_SOURCE_CHARS = 80


class Kind(enum.Enum):
    """What happens in front of a camera, or to it."""

    MOTION = "motion"
    PERSON = "person"
    VEHICLE = "vehicle"
    ANIMAL = "animal"
    FACE = "face"
    LINE_CROSSED = "line-crossed"
    INTRUSION = "intrusion"
    VISITOR = "visitor"
    """A doorbell was pressed."""
    SOUND = "sound"
    TAMPER = "tamper"
    """Covered, turned away, out of focus."""
    SIGNAL_LOSS = "signal-loss"
    DIGITAL_INPUT = "digital-input"
    RELAY = "relay"
    STORAGE_FAILURE = "storage-failure"


# By the end of the topic, lower case without prefixes; the longest that fits counts.
_TOPICS = {
    "videosource/motionalarm": Kind.MOTION,
    "cellmotiondetector/motion": Kind.MOTION,
    "motionregiondetector/motion": Kind.MOTION,
    "videoanalytics/motion": Kind.MOTION,
    "videoanalytics/motiondetection": Kind.MOTION,
    "ruleengine/vmd": Kind.MOTION,
    "myruledetector/motion": Kind.MOTION,
    "myruledetector/peopledetect": Kind.PERSON,
    "peopledetector/people": Kind.PERSON,
    "tpsmarteventdetector/tpsmartevent": Kind.PERSON,
    "myruledetector/vehicledetect": Kind.VEHICLE,
    "myruledetector/dogcatdetect": Kind.ANIMAL,
    "myruledetector/facedetect": Kind.FACE,
    "myruledetector/visitor": Kind.VISITOR,
    "linedetector/crossed": Kind.LINE_CROSSED,
    "fielddetector/objectsinside": Kind.INTRUSION,
    "audio/detectedsound": Kind.SOUND,
    "audioanalytics/audio": Kind.SOUND,
    "globalscenechange": Kind.TAMPER,
    "tamperdetector/tamper": Kind.TAMPER,
    "videosource/tampering": Kind.TAMPER,
    "imagetooblurry": Kind.TAMPER,
    "imagetoodark": Kind.TAMPER,
    "imagetoobright": Kind.TAMPER,
    "videosource/signalloss": Kind.SIGNAL_LOSS,
    "trigger/digitalinput": Kind.DIGITAL_INPUT,
    "device/io/virtualinput": Kind.DIGITAL_INPUT,
    "trigger/relay": Kind.RELAY,
    "hardwarefailure/storagefailure": Kind.STORAGE_FAILURE,
}
_ON = frozenset({"true", "1", "active", "on", "yes", "high"})
_OFF = frozenset({"false", "0", "inactive", "off", "no", "low"})
_STATES = (
    "state", "ismotion", "motion", "istamper", "tamper", "isinside", "logicalstate", "active", "ispeople", "isvehicle",
    "ispet", "istpsmartevent", "issounddetected", "failed", "value",
)  # fmt: skip
_TP_LINK = {"ispeople": Kind.PERSON, "isvehicle": Kind.VEHICLE, "ispet": Kind.ANIMAL, "islinecross": Kind.LINE_CROSSED,
            "isintrusion": Kind.INTRUSION, "istamper": Kind.TAMPER}  # fmt: skip
"""TP-Link puts several things under one topic; the name of the item tells them apart."""


@dataclass(frozen=True, slots=True)
class Message:
    """One notification, understood."""

    kind: Kind
    on: bool | None
    """None for what only happens, such as a crossed line."""
    source: str
    """Which sensor, input or rule of the camera: `1`, `VideoSourceToken-0/MyRule`. Empty if there is one only."""
    initial: bool
    """The state as it was when we began to listen, not a change."""
    topic: str


def parse_messages(reply: Node) -> tuple[Message, ...]:
    """The notifications of a PullMessagesResponse that are understood, in order."""
    found = (_message(node) for node in reply.all("NotificationMessage")[:MAX_MESSAGES])
    return tuple(message for message in found if message is not None)


def _message(node: Node) -> Message | None:
    topic = plain_topic(node.text_at("Topic"))
    inner = node.child("Message")
    if inner is not None and inner.child("Message") is not None:
        inner = inner.child("Message")
    if inner is None or (kind := kind_of(topic)) is None:
        return None
    data = {name.lower(): value for name, value in _items(inner.child("Data"))}
    kind = next((_TP_LINK[name] for name in data if name in _TP_LINK), kind) if "tpsmart" in topic.lower() else kind
    operation = inner.attributes.get("PropertyOperation", "").lower()
    on = False if operation == "deleted" else _state(data)
    if on is None and operation in ("initialized", "changed") and kind is not Kind.LINE_CROSSED:
        return None  # a property whose value cannot be read is no news
    source = "/".join(value for part in ("Source", "Key") for _, value in _items(inner.child(part)) if value)
    return Message(kind, on, source[:MAX_SOURCE_CHARS], operation == "initialized", topic)


def plain_topic(text: str) -> str:
    """`tns1:RuleEngine/tnsaxis:VMD` as `RuleEngine/VMD`."""
    folders = (folder.rpartition(":")[2].strip() for folder in text.split("/"))
    return "/".join(folder for folder in folders if folder)


def kind_of(topic: str) -> Kind | None:
    """The kind that a plain topic is about; makers append rules and profiles to it, so a fitting beginning counts too."""
    folders = topic.lower().split("/")
    for length in (3, 2, 1):
        for start in range(len(folders) - length, -1, -1):
            part = "/".join(folders[start : start + length])
            if (kind := _TOPICS.get(part)) is not None:
                return kind
            if length == 2 and part.startswith("ruleengine/vmd"):
                return Kind.MOTION  # Axis: VMD3, VMD4 with a profile below
    return None


def _items(node: Node | None) -> Iterator[tuple[str, str]]:
    for item in node.all("SimpleItem") if node is not None else ():
        value = item.attributes.get("Value", "")
        yield item.attributes.get("Name", ""), "".join(ch for ch in value if ch.isprintable()).strip()


def _state(data: dict[str, str]) -> bool | None:
    for name in (*_STATES, *data):
        value = data.get(name, "").lower()
        if value in _ON:
            return True
        if value in _OFF:
            return False
    return None
