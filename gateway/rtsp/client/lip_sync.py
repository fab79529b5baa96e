"""Puts a microphone's clock onto its camera's picture clock. Pure; reader threads.

Each RTP track begins at a time of its own. Until the camera's sender reports say how the two belong together, what arrives
together is together. Reports are believed only where they agree with arrival within reason: cameras send reports of a
clock that was just set, or that the two encoders do not share.
"""

from __future__ import annotations

import math

from gateway.rtsp.client.receiver import Receiver

BELIEVABLE_S = 1.0
"""Reports that move sound further than this from where it arrives are wrong (`timestamps.SYNC_S`)."""
WORTH_S = 0.02
"""Smaller corrections are jitter of the reports: nobody hears them, and every one costs a little sound."""


class LipSync:
    """Of one session. Both tracks' times come out in seconds of the picture's clock."""

    def __init__(self) -> None:
        self._picture_delay = self._sound_delay = math.inf
        """The least of arrival minus own clock: a burst of old pictures in front of a session does not blur it."""
        self._offset: float | None = None
        """Seconds to add to the sound's own clock."""
        self._seen: tuple[object, object] = (None, None)
        self._pending: float | None = None

    def picture(self, seconds: float, now: float) -> None:
        """A picture of `seconds` on its clock arrived at `now`."""
        self._picture_delay = min(self._picture_delay, now - seconds)

    def sound(self, seconds: float, now: float, video: Receiver, audio: Receiver) -> float:
        """Where sound of `seconds` on its own clock belongs on the picture's clock; anywhere before the first picture."""
        self._sound_delay = min(self._sound_delay, now - seconds)
        if math.isinf(self._picture_delay):
            return seconds
        if self._offset is None:
            self._offset = self._sound_delay - self._picture_delay
        reports = (video.report, audio.report)
        if reports != self._seen:
            self._seen = reports
            self._correct(video, audio)
        return seconds + self._offset

    def _correct(self, video: Receiver, audio: Receiver) -> None:
        if video.report is None or audio.report is None or self._offset is None:
            return
        video_zero = video.report[0] - video.report[1] / video.clock_rate
        audio_zero = audio.report[0] - audio.report[1] / audio.clock_rate
        told = audio_zero - video_zero
        by_arrival = self._sound_delay - self._picture_delay
        if min(abs(told - by_arrival), abs(told - self._offset)) > BELIEVABLE_S:  # the latter moves as crystals drift
            return
        before, self._pending = self._pending, told
        # the first pair is believed at once; later only what two pairs in a row say, for a clock may be set in between
        if before is None or (abs(told - self._offset) > WORTH_S and abs(told - before) < WORTH_S):
            self._offset = told
