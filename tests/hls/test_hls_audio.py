"""Audio on its way into parts."""

from synthetic import AUDIO, audio

from gateway.hls.audio import MAX_PENDING_FRAMES, AudioQueue


def queue() -> AudioQueue:
    return AudioQueue(2, 10 * AUDIO.clock_rate)


def test_only_what_begins_before_the_cut_is_taken() -> None:
    waiting = queue()
    for index in range(4):
        waiting.add(audio(index * 1024))
    run = waiting.take(2048 / 48_000)
    assert run is not None
    assert (run.track_id, run.decode_time, [s.duration for s in run.samples]) == (2, 480_000, [1024, 1024])
    rest = waiting.take(None)
    assert rest is not None
    assert rest.decode_time == 480_000 + 2048
    assert waiting.size == 0


def test_nothing_to_take() -> None:
    assert queue().take(None) is None


def test_millisecond_times_of_a_publisher_leave_no_holes() -> None:
    waiting = queue()
    end = None
    for start in range(0, 30, 3):
        for index in range(start, start + 3):
            waiting.add(audio(round(index * 1024 / 48) * 48))
        run = waiting.take(None)
        assert run is not None
        assert end is None or run.decode_time == end
        end = run.decode_time + sum(sample.duration for sample in run.samples)


def test_a_lost_packet_stays_visible() -> None:
    waiting = queue()
    waiting.add(audio(0))
    assert waiting.take(None) is not None
    waiting.add(audio(2048))
    run = waiting.take(None)
    assert run is not None
    assert run.decode_time == 480_000 + 2048


def test_zero_durations_still_advance() -> None:
    waiting = queue()
    waiting.add(audio(0, duration=0))
    run = waiting.take(None)
    assert run is not None
    assert run.samples[0].duration == 1


def test_audio_without_video_does_not_grow_for_ever() -> None:
    waiting = queue()
    for index in range(MAX_PENDING_FRAMES + 10):
        waiting.add(audio(index * 1024))
    run = waiting.take(None)
    assert run is not None
    assert len(run.samples) == MAX_PENDING_FRAMES
    assert waiting.size == 0
