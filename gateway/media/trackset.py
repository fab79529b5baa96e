"""Decides which declared tracks a stream really has, so that a silent microphone never holds up a picture.

Cameras declare audio and never send any, stop sending it, or start minutes later. A muxer or player that waits for such a
track shows nothing (measured: fMP4 with a silent AAC track gave no byte in 16 s). The rules:

- A session begins unsettled. It settles when every declared track has spoken, or `SETTLE_S` after the first picture.
- Audio that stays away for `SILENCE_S` is dropped; audio that speaks is taken up once it has kept on for a while, longer
  each time it was lost, because every change costs the viewers a discontinuity.
- A stream that stalled as a whole and goes on with a burst was not silent: that is not held against the microphone.
- After settling, tracks change only at a video keyframe (in a stream without video: at once), so that every output can
  start anew right there.

Pure: time is passed in. Called on the event loop by `Stream`.
"""

from __future__ import annotations

from gateway.media.frame import Frame
from gateway.media.track import Kind, TrackConfig, Tracks

SETTLE_S = 1.0
"""How long the first picture waits for declared audio."""
SILENCE_S = 3.0
"""Over twice the longest audio gap seen on a healthy Wi-Fi camera, and short enough that a browser's buffer survives it."""
RETURN_S = 1.0
"""Audio must have kept on this long before it is taken up again; doubled each time it is lost."""
RETURN_MAX_S = 60.0


class TrackSet:
    """Tracks of one stream. Feed it every frame with `observe`; it answers whether the frame may go out."""

    def __init__(self) -> None:
        self._expected: frozenset[Kind] = frozenset({Kind.VIDEO})
        self._configs: dict[Kind, TrackConfig] = {}
        self._last_heard: dict[Kind, float] = {}
        self._forgiven = False
        """The stall before the newest picture was not held against the audio, which has not been heard since."""
        self._audio_since: float | None = None
        self._return_s = RETURN_S
        self._first_at: float | None = None
        self._settled = False
        self._tracks: Tracks = ()

    @property
    def settled(self) -> bool:
        """The tracks of this session are known."""
        return self._settled

    @property
    def tracks(self) -> Tracks:
        """The tracks outputs should offer now; of the last session while a new one is unsettled."""
        return self._tracks

    @property
    def coming(self) -> Tracks:
        """Audio that has been heard lately and is not, or not yet again, among `tracks`: for who can bear its silence."""
        audio, video = self._configs.get(Kind.AUDIO), self._last_heard.get(Kind.VIDEO)
        if audio is None or video is None or any(track.kind is Kind.AUDIO for track in self._tracks):
            return ()
        return (audio,) if video - self._last_heard[Kind.AUDIO] <= SILENCE_S else ()

    def begin(self, expected: frozenset[Kind]) -> None:
        """A new session declares `expected`."""
        self._expected = expected
        self._configs = {}
        self._last_heard = {}
        self._forgiven = False
        self._audio_since = None
        self._return_s = RETURN_S
        self._first_at = None
        self._settled = False

    def observe(self, frame: Frame, now: float) -> bool:
        """Take a frame at `now` (monotonic seconds) into account; True when `tracks` has just changed."""
        kind = frame.kind
        last = self._last_heard.get(kind)
        if kind is Kind.AUDIO and (last is None or now - last > SILENCE_S):
            self._audio_since = now
        elif kind is Kind.VIDEO and last is not None and now - last > SILENCE_S and Kind.AUDIO in self._last_heard:
            if not self._forgiven:  # once: a picture every few seconds is no row of stalls
                self._last_heard[Kind.AUDIO] += now - max(last, self._last_heard[Kind.AUDIO])
            self._forgiven = True
        if kind is Kind.AUDIO:
            self._forgiven = False
        self._last_heard[kind] = now
        self._configs[kind] = frame.config
        if self._first_at is None and (kind is Kind.VIDEO or Kind.VIDEO not in self._expected):
            self._first_at = now
        if not self._settled:
            heard_all = self._expected <= self._configs.keys()
            waited = self._first_at is not None and now - self._first_at >= SETTLE_S
            if not heard_all and not waited:
                return False
            self._settled = True
            return self._adopt(self._speaking(now))
        if Kind.VIDEO in self._expected and not (kind is Kind.VIDEO and frame.keyframe):
            return False
        return self._adopt(self._speaking(now))

    def admits(self, frame: Frame) -> bool:
        """The frame belongs to the tracks that outputs know (audio not yet taken up, or of a new configuration, does not)."""
        config = frame.config
        return any(track is config or (track.codec is config.codec and track == config) for track in self._tracks)

    def _speaking(self, now: float) -> Tracks:
        tracks = [self._configs[Kind.VIDEO]] if Kind.VIDEO in self._configs else []
        if Kind.AUDIO in self._configs and self._audio_counts(now):
            tracks.append(self._configs[Kind.AUDIO])
        return tuple(tracks)

    def _audio_counts(self, now: float) -> bool:
        had_audio = any(track.kind is Kind.AUDIO for track in self._tracks)
        if now - self._last_heard[Kind.AUDIO] > SILENCE_S:
            if had_audio:
                self._return_s = min(self._return_s * 2, RETURN_MAX_S)
            return False
        if had_audio or self._first_at is None or now - self._first_at <= SETTLE_S:
            return True
        return self._audio_since is not None and now - self._audio_since >= self._return_s

    def _adopt(self, tracks: Tracks) -> bool:
        if tracks == self._tracks:
            return False
        self._tracks = tracks
        return True
