"""What one viewer is sent: order, stamps, reports, and when it is given up."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.media.stream import Stream
from gateway.media.track import Codec, Kind
from gateway.rtsp.delivery import REPORT_INTERVAL_S, Delivery
from gateway.rtsp.payload import Payloader
from gateway.rtsp.rtcp import BYE, parse_rtcp
from gateway.rtsp.rtp import RtpSender
from gateway.rtsp.sdp import offer_tracks
from gateway.rtsp.session import SetupTrack
from gateway.rtsp.transport import InterleavedChannels


class FakeSink:
    def __init__(self) -> None:
        self.ready = True
        self.sent: list[tuple[Kind, str, bytes]] = []

    def send_rtp(self, track: SetupTrack, packets: Sequence[bytes]) -> None:
        self.sent += [(track.offered.config.kind, "rtp", packet) for packet in packets]

    def send_rtcp(self, track: SetupTrack, packet: bytes) -> None:
        self.sent.append((track.offered.config.kind, "rtcp", packet))

    def stamps(self, kind: Kind) -> list[int]:
        """Distinct timestamps in the order sent."""
        found: list[int] = []
        for one, way, packet in self.sent:
            if one is kind and way == "rtp":
                (stamp,) = struct.unpack("!4xI", packet[:8])
                if not found or found[-1] != stamp:
                    found.append(stamp)
        return found


class Room:
    """A stream, a viewer of it, and a clock."""

    def __init__(self, player: Any, *footage: Any, wanted: Sequence[Kind] = (Kind.VIDEO, Kind.AUDIO)) -> None:
        self.now = 100.0
        self.stream = Stream("cam", monotonic=lambda: self.now)
        self.player = player(self.stream, *footage)
        self.sink = FakeSink()
        self.unfit: list[str] = []
        offer = offer_tracks(tuple(one.config for one in footage))
        self.tracks = [
            SetupTrack(one, "", InterleavedChannels(0, 1), RtpSender(96, one.config.clock_rate, ssrc=1, sequence=1, base=0))
            for one in offer
            if one.config.kind in wanted
        ]
        self.delivery = Delivery(
            self.stream, Payloader(), self.tracks, offer, self.sink, self.unfit.append, clock=lambda: self.now
        )


@pytest.fixture
def make_room(make_player: Any) -> Callable[..., Room]:
    return lambda *footage, **options: Room(make_player, *footage, **options)


def test_nothing_is_sent_before_the_answer_is_out(make_room: Callable[..., Room], video_footage: Any, aac_footage: Any) -> None:
    room = make_room(video_footage(Codec.H264), aac_footage())
    room.player.push(1.5)
    assert room.delivery.start() == pytest.approx(1.0, abs=0.03), "the cached GOP begins at its keyframe"
    assert room.sink.sent == []
    room.delivery.open()
    assert room.sink.sent[0][1] == "rtcp"
    assert room.sink.stamps(Kind.VIDEO)[0] == 90_000


def test_stamps_follow_pts_in_decoding_order(make_room: Callable[..., Room], video_footage: Any) -> None:
    footage = video_footage(Codec.H264, b_frames=3)
    room = make_room(footage)
    room.delivery.start()
    room.delivery.open()
    room.player.push(1.0)
    stamps = room.sink.stamps(Kind.VIDEO)
    assert stamps == [frame.pts for frame in footage.frames[: len(stamps)]]
    assert stamps != sorted(stamps), "the footage must have reordered frames"


def test_a_time_jump_in_the_stream_shows_on_the_wire(make_room: Callable[..., Room], video_footage: Any) -> None:
    footage = video_footage(Codec.H264)
    room = make_room(footage)
    room.delivery.start()
    room.delivery.open()
    room.stream.push([footage.frames[0], dataclasses.replace(footage.frames[1], dts=9_000_000, pts=9_000_000)])
    assert room.sink.stamps(Kind.VIDEO) == [0, 9_000_000]


def test_every_track_begins_with_a_report_and_repeats_it(
    make_room: Callable[..., Room], video_footage: Any, g711_footage: Any
) -> None:
    room = make_room(video_footage(Codec.H264), g711_footage())
    room.delivery.start()
    room.delivery.open()
    room.player.push(1.0)
    room.now += REPORT_INTERVAL_S
    room.player.push(2.0)
    for kind in Kind:
        mine = [(way, packet) for one, way, packet in room.sink.sent if one is kind]
        reports = [packet for way, packet in mine if way == "rtcp"]
        assert mine[0][0] == "rtcp"
        assert len(reports) == 2
        for report in reports:
            seconds, fraction, stamp = struct.unpack("!8xIII", report[:20])
            media = stamp / (90_000 if kind is Kind.VIDEO else 8000)
            wall = seconds + fraction / 2**32 - 2_208_988_800
            assert wall - media == pytest.approx(room.player.epoch, abs=0.001)


def test_a_viewer_of_one_track_is_not_sent_the_other(
    make_room: Callable[..., Room], video_footage: Any, g711_footage: Any
) -> None:
    room = make_room(video_footage(Codec.H264), g711_footage(), wanted=(Kind.AUDIO,))
    room.player.push(0.5)
    room.delivery.start()
    room.delivery.open()
    assert {kind for kind, _, _ in room.sink.sent} == {Kind.AUDIO}


def test_a_busy_sink_makes_frames_wait_and_pump_goes_on(make_room: Callable[..., Room], video_footage: Any) -> None:
    room = make_room(video_footage(Codec.H264))
    room.delivery.start()
    room.delivery.open()
    room.sink.ready = False
    room.player.push(0.5)
    assert room.sink.sent == []
    room.sink.ready = True
    room.delivery.pump()
    assert len(room.sink.stamps(Kind.VIDEO)) == len(range(0, 50, 4))


def test_a_new_resolution_goes_on_and_another_codec_ends_it(make_room: Callable[..., Room], video_footage: Any) -> None:
    room = make_room(video_footage(Codec.H264))
    room.delivery.start()
    room.delivery.open()
    room.player.push(0.1)
    larger = video_footage(Codec.H264, width=640).frames[0]
    room.stream.push([dataclasses.replace(larger, dts=90_000, pts=90_000)])
    assert room.sink.stamps(Kind.VIDEO)[-1] == 90_000
    assert room.unfit == []
    room.stream.push([dataclasses.replace(video_footage(Codec.H265).frames[0], dts=180_000, pts=180_000)])
    assert len(room.unfit) == 1
    assert room.sink.stamps(Kind.VIDEO)[-1] == 90_000, "not one packet in a format the viewer was not told of"


def test_sound_that_falls_silent_does_not_cost_the_picture_and_sound_that_appears_is_worth_a_new_session(
    make_room: Callable[..., Room], video_footage: Any, aac_footage: Any
) -> None:
    room = make_room(video_footage(Codec.H264), aac_footage())
    video, audio = (track.offered.config for track in room.tracks)
    room.delivery.on_tracks((video, audio))
    room.delivery.on_tracks((video,))
    assert room.unfit == []
    silent = make_room(video_footage(Codec.H264))
    silent.delivery.on_tracks((video, audio))
    assert len(silent.unfit) == 1


def test_a_stopped_delivery_leaves_the_stream_and_says_goodbye_on_request(
    make_room: Callable[..., Room], video_footage: Any
) -> None:
    room = make_room(video_footage(Codec.H264))
    room.delivery.start()
    room.delivery.open()
    room.player.push(0.1)
    room.delivery.farewell()
    assert [packet.packet_type for packet in parse_rtcp(room.sink.sent[-1][2])][-1] == BYE
    room.delivery.stop()
    count = len(room.sink.sent)
    room.player.push(0.3)
    assert len(room.sink.sent) == count
