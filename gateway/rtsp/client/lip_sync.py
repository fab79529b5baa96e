"""Puts a microphone's clock onto its camera's picture clock. Pure; reader threads.

Each RTP track begins at a time of its own. Until the camera's sender reports say how the two belong together, what arrives
together is together, and where they never say so, sound follows its arrival: two crystals drift by seconds a day. Reports
are believed only where they agree with arrival within reason: cameras send reports of a clock that was just set, or that
the two encoders do not share.
"""

from __future__ import annotations

import math

from gateway.rtsp.client.receiver import Receiver

BELIEVABLE_S = 1.0
"""Reports that move sound further than this from where it arrives are wrong (`timestamps.SYNC_S`)."""
WORTH_S = 0.02
"""Smaller corrections are jitter of the reports: nobody hears them, and every one costs a little sound."""
WINDOW_S = 20.0
"""Delays are compared over one to two of these: something always arrives in time, and no crystal drifts by 5 ms."""
DRIFT_S = 0.08
"""Sound that is this far from its arrival without any report is put right: the eye notices from about there on."""


class _Least:
    """The least delay of the last while: arrival minus own clock. A burst of old pictures does not blur it."""

    def __init__(self) -> None:
        self._current = self._before = math.inf
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        return min(self._current, self._before)

    def add(self, delay: float, now: float) -> bool:
        """Take one; True when a window has just been completed."""
        turn = self._since is not None and now - self._since >= WINDOW_S
        if turn:
            self._before, self._current = self._current, math.inf
        if turn or self._since is None:
            self._since = now
        self._current = min(self._current, delay)
        return turn


class LipSync:
    """Of one session. Both tracks' times come out in seconds of the picture's clock."""

    def __init__(self) -> None:
        self._picture, self._sound = _Least(), _Least()
        self._offset: float | None = None
        """Seconds to add to the sound's own clock."""
        self._seen: tuple[object, object] = (None, None)
        self._pending: float | None = None

    def picture(self, seconds: float, now: float) -> None:
        """A picture of `seconds` on its clock arrived at `now`."""
        self._picture.add(now - seconds, now)

    def sound(self, seconds: float, now: float, video: Receiver, audio: Receiver) -> float:
        """Where sound of `seconds` on its own clock belongs on the picture's clock; anywhere before the first picture."""
        turn = self._sound.add(now - seconds, now)
        if math.isinf(self._picture.seconds):
            return seconds
        by_arrival = self._sound.seconds - self._picture.seconds
        if self._offset is None:
            self._offset = by_arrival
        elif turn and self._pending is None and DRIFT_S < abs(by_arrival - self._offset) <= BELIEVABLE_S:
            self._offset = by_arrival  # further off is a clock that jumped (`timestamps`)
        reports = (video.report, audio.report)
        if reports != self._seen:
            self._seen = reports
            self._correct(video, audio, by_arrival)
        return seconds + self._offset

    def _correct(self, video: Receiver, audio: Receiver, by_arrival: float) -> None:
        if video.report is None or audio.report is None or self._offset is None:
            return
        video_zero = video.report[0] - video.report[1] / video.clock_rate
        audio_zero = audio.report[0] - audio.report[1] / audio.clock_rate
        told = audio_zero - video_zero
        if min(abs(told - by_arrival), abs(told - self._offset)) > BELIEVABLE_S:  # the latter moves as crystals drift
            return
        before, self._pending = self._pending, told
        # the first pair is believed at once; later only what two pairs in a row say, for a clock may be set in between
        if before is None or (abs(told - self._offset) > WORTH_S and abs(told - before) < WORTH_S):
            self._offset = told
