"""RTP of cameras: wraps, losses, swaps, restarts; and their reports."""

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.rtsp.client import reports
from gateway.rtsp.client.depacketise_h264 import H264Depacketiser
from gateway.rtsp.client.depacketise_plain import PlainDepacketiser
from gateway.rtsp.client.framing import Framing
from gateway.rtsp.client.lip_sync import LipSync
from gateway.rtsp.client.receiver import Receiver
from gateway.rtsp.client.reorder import MAX_HELD, MAX_WAIT_S
from gateway.rtsp.message import Interleaved
from gateway.rtsp.packetize_h264 import packetize_h264


def packet(sequence, timestamp=0, payload=b"x", *, kind=0, ssrc=1, marker=False, head=0x80):
    return struct.pack("!BBHII", head, kind | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def sound(*, ordered):
    return Receiver(PlainDepacketiser(1), 0, 8000, ordered=ordered, ours=9)


def payloads(done):
    return [unit.units[0] for _, unit in done]


def test_time_goes_on_over_the_wrap_of_its_32_bits_and_back():
    receiver = sound(ordered=True)
    times = [2**32 - 160, 0, 160, -320, 320]
    done = [receiver.rtp(packet(n, at), 0.0)[0][0] for n, at in enumerate(times)]
    assert [one - done[0] for one in done] == [0, 160, 320, -160, 480]


def test_losses_are_counted_over_the_wrap_of_the_sequence():
    receiver = sound(ordered=True)
    for sequence in (65533, 65534, 1, 2, 5):
        receiver.rtp(packet(sequence), 0.0)
    assert receiver.lost == 4
    body = receiver.receiver_report(1.0)
    fraction_lost, highest = body[12], int.from_bytes(body[16:20], "big")
    assert (fraction_lost, highest) == (256 * 4 // 9, 65536 + 5)


def test_camera_whose_sequence_never_moves_is_heard_over_tcp():
    receiver = sound(ordered=True)
    assert sum(len(receiver.rtp(packet(7, n), 0.0)) for n in range(20)) == 20
    assert receiver.lost == 0


@given(st.integers(0, 65535), st.integers(0, 10**9))
@settings(max_examples=50)
def test_swapped_and_doubled_packets_come_in_order(start, seed):
    rng = random.Random(seed)
    receiver = sound(ordered=False)
    numbers = list(range(1, 100))
    for at in range(0, 96, 6):
        block = numbers[at : at + 6]
        rng.shuffle(block)
        numbers[at : at + 6] = block
    done = payloads(receiver.rtp(packet(start, 0, b"\0"), 0.0))
    for number in numbers:
        for _ in range(rng.choice((1, 1, 2))):
            done += payloads(receiver.rtp(packet(start + number, number, bytes((number,))), 0.0))
    assert done == [bytes((n,)) for n in range(100)]
    assert receiver.lost == 0


def test_missing_packet_is_waited_for_but_not_for_long():
    receiver = sound(ordered=False)
    receiver.rtp(packet(1), 0.0)
    assert receiver.rtp(packet(3, payload=b"3"), 0.0) == []
    assert receiver.waiting
    assert receiver.release(MAX_WAIT_S / 2) == []
    assert payloads(receiver.release(MAX_WAIT_S)) == [b"3"]
    assert receiver.lost == 1
    assert receiver.rtp(packet(2, payload=b"2"), MAX_WAIT_S) == [], "too late"


def test_packets_held_back_are_bounded():
    receiver = sound(ordered=False)
    receiver.rtp(packet(0), 0.0)
    done = [one for n in range(2, 3 * MAX_HELD) for one in receiver.rtp(packet(n), 0.0)]
    assert len(done) == 3 * MAX_HELD - 2
    assert len(receiver._reorder._held) == 0


def test_camera_that_counts_anew_is_heard_again():
    receiver = sound(ordered=False)
    for n in range(40_000, 40_010):
        receiver.rtp(packet(n), 0.0)
    heard = [one for n in range(20, 60) for one in receiver.rtp(packet(n), 0.0)]
    assert len(heard) >= 30


def test_packets_of_a_former_session_change_nothing():
    receiver = sound(ordered=False)
    receiver.rtp(packet(1, ssrc=5), 0.0)
    assert receiver.rtp(packet(900, ssrc=6), 0.0) == []
    assert len(receiver.rtp(packet(2, ssrc=5), 0.0)) == 1


def test_another_source_is_heard_at_once_over_tcp():
    receiver = sound(ordered=True)
    receiver.rtp(packet(1, ssrc=5), 0.0)
    assert len(receiver.rtp(packet(900, ssrc=6), 0.0)) == 1
    assert receiver.lost == 0


def test_dynamic_type_that_is_not_the_described_one_is_taken_but_only_one():
    receiver = Receiver(PlainDepacketiser(1), 96, 8000, ordered=True)
    assert len(receiver.rtp(packet(1, kind=98), 0.0)) == 1
    assert receiver.rtp(packet(2, kind=96), 0.0) == []


def test_extension_sources_and_padding_are_no_payload():
    extended = packet(1, payload=struct.pack("!HHI", 0xBEDE, 1, 0) + b"sound", head=0x90)
    padded = packet(2, payload=b"sound\0\0\3", head=0xA0)
    sourced = packet(3, payload=bytes(8) + b"sound", head=0x82)
    receiver = sound(ordered=True)
    assert [payloads(receiver.rtp(one, 0.0)) for one in (extended, padded, sourced)] == [[b"sound"]] * 3
    assert receiver.rtp(packet(4, payload=b"\4\4\4\4", head=0xA0), 0.0) == []


@given(st.lists(st.binary(max_size=60), max_size=20), st.booleans())
def test_garbage_never_raises(packets, ordered):
    receiver = Receiver(H264Depacketiser(), 96, 90_000, ordered=ordered)
    for number, data in enumerate(packets):
        receiver.rtp(data, number)
        receiver.rtp(packet(number, number, data, kind=96, head=0x80 | number & 0x3F), number)
        receiver.rtcp(data, number)
        receiver.receiver_report(number)


# The fast way through the middle of a picture


def stream(pictures, channel=0):
    """Pictures as a camera sends them over TCP."""
    sequence, out = 65_530, b""
    for number, units in enumerate(pictures):
        cut = packetize_h264(units, ())
        for index, payload in enumerate(cut):
            last = index == len(cut) - 1
            out += Interleaved(channel, packet(sequence, number * 3600, payload, kind=96, marker=last)).encode()
            sequence += 1
    return out


def receive(data, splits, *, fast):
    receiver, framing = Receiver(H264Depacketiser(), 96, 90_000, ordered=True), Framing("cam")
    framing.channels = frozenset({0})
    assert len(list(framing.feed(b"RTSP/1.0 200 OK\r\n\r\n"))) == 1
    if fast:
        framing.run = lambda *where: receiver.run(0, *where)
    done, at = [], 0
    for end in [*sorted(splits), len(data)]:
        for piece in framing.feed(data[at:end]):
            done += receiver.rtp(piece[1], 0.0) if piece[0] == 0 else []
        at = max(at, end)
    return [(at, unit.units) for at, unit in done], receiver.lost, receiver.received, receiver.dropped


PICTURES = [[bytes((0x65, 0x88 | n)) + bytes((n + 1,)) * size] for n, size in enumerate((9000, 100, 4000, 2900, 50, 7000))]
STREAM = stream(PICTURES)


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_fast_way_gives_the_same_wherever_tcp_cuts(splits):
    slow = receive(STREAM, splits, fast=False)
    assert receive(STREAM, splits, fast=True) == slow
    assert [units for _, units in slow[0]] == PICTURES


@given(st.integers(0, len(STREAM) - 1), st.integers(0, 255), st.lists(st.integers(0, len(STREAM)), max_size=4))
def test_fast_way_is_fooled_by_no_damage(at, value, splits):
    damaged = STREAM[:at] + bytes((value,)) + STREAM[at + 1 :]
    for fast in (True, False):
        receive(damaged, splits, fast=fast)


def test_fast_way_sees_a_hole():
    whole = list(Framing("cam").feed(STREAM))
    holed = b"".join(Interleaved(*piece).encode() for index, piece in enumerate(whole) if index != 3)
    pictures, lost, _, dropped = receive(holed, [], fast=True)
    assert [units for _, units in pictures] == PICTURES[1:]
    assert (lost, dropped) == (1, 1)


# Reports


def report_of(ssrc, wall, rtp):
    ntp = int((wall + 2_208_988_800) * 2**32)
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, ntp, rtp & 0xFFFFFFFF, 1, 1)


def test_sender_report_tells_the_wall_clock_of_a_moment():
    receiver = sound(ordered=True)
    receiver.rtp(packet(1, 2**32 - 80), 0.0)
    receiver.rtcp(report_of(1, 1_700_000_000.5, 80), 0.0)
    wall, ticks = receiver.report
    assert abs(wall - 1_700_000_000.5) < 1e-6
    assert ticks == 2**32 + 80
    answered = int.from_bytes(receiver.receiver_report(2.0)[24:28], "big")
    assert answered == (1_700_000_000 + 2_208_988_800 & 0xFFFF) << 16 | 0x8000, "our report names it"


def test_good_bye_ends_a_track():
    receiver = sound(ordered=True)
    receiver.rtp(packet(1), 0.0)
    receiver.rtcp(reports.receiver_report(1, None) + struct.pack("!BBHI", 0x81, 203, 1, 1), 0.0)
    assert receiver.ended


def lip_sync(video_wall, audio_wall):
    video, audio = sound(ordered=True), sound(ordered=True)
    video.report, audio.report = (video_wall, 0), (audio_wall, 0)
    return video, audio


def test_sound_is_where_it_arrives_until_reports_say_better():
    sync = LipSync()
    silent = sound(ordered=True)
    sync.picture(100.0, 10.0)
    assert abs(sync.sound(7.0, 10.2, silent, silent) - 100.2) < 1e-9
    video, audio = lip_sync(1000.0, 1093.1)
    assert abs(sync.sound(8.0, 11.2, video, audio) - 101.1) < 1e-6, "said by both reports"


def test_sound_that_speaks_before_the_first_picture_finds_its_place_with_it():
    sync, silent = LipSync(), sound(ordered=True)
    sync.sound(7.0, 10.0, silent, silent)
    sync.picture(100.0, 10.5)
    assert abs(sync.sound(7.5, 10.5, silent, silent) - 100.0) < 1e-9


def test_burst_of_old_pictures_moves_no_sound():
    sync, silent = LipSync(), sound(ordered=True)
    for picture in range(51):
        sync.picture(98.0 + picture / 25, 10.0)
    assert abs(sync.sound(7.0, 10.0, silent, silent) - 100.0) < 1e-9


@pytest.mark.parametrize("drift", [60e-6, -60e-6])
@pytest.mark.parametrize("odd", [False, True])
def test_sound_of_a_camera_without_reports_is_still_lip_sync_after_hours(drift, odd):
    sync, silent = LipSync(), sound(ordered=True)
    worst = 0.0
    for tick in range(4 * 3600):
        late = (0.0, 0.03, 0.2)[tick % 3]  # by Wi-Fi
        sync.picture(5.0 + tick + (36_000.0 if odd and tick % 977 == 500 else 0.0), 100.0 + tick + late)
        at = sync.sound(77.0 + tick * (1 + drift), 100.0 + tick + late, silent, silent)
        worst = max(worst, abs(at - (5.0 + tick)))
    assert worst < 0.1


def test_reports_that_contradict_arrival_are_not_believed():
    sync = LipSync()
    sync.picture(100.0, 10.0)
    video, audio = lip_sync(1000.0, 5000.0)
    assert abs(sync.sound(7.0, 10.2, video, audio) - 100.2) < 1e-9


def test_clock_that_is_set_between_two_reports_moves_no_sound():
    sync = LipSync()
    sync.picture(100.0, 10.0)
    told = [sync.sound(7.0, 10.0, *lip_sync(1000.0, wall)) for wall in (1093.0, 1093.5, 1093.0)]
    assert told == [100.0] * 3
    told = [sync.sound(7.0, 10.0, *lip_sync(1000.0, wall)) for wall in (1093.2, 1093.2001)]
    assert abs(told[1] - 100.2) < 0.001, "but what two of them say is true"
