"""Plays a stream with programs we did not write and says what they saw."""

from __future__ import annotations

import itertools
import re
import subprocess
import time
from dataclasses import dataclass, field

import av

TIME_WORDS = re.compile(r"\b(dts|pts|timestamps?|non.?monoton\w*|discontinuit\w+|out of order|past duration)\b", re.IGNORECASE)
KNOWN_MESSAGES = re.compile(r"Found duplicated MOOV Atom|Opening '|Last message repeated")
"""ffmpeg 5.1's HLS demuxer says the first at every EXT-X-MAP; none is about time or damage."""
START_ALLOWANCE_S = 25.0
"""A playlist may wait for the first whole segment, which lasts a GOP."""


@dataclass(slots=True)
class Play:
    """What a player saw in `seconds` of stream time."""

    seconds: float
    frames: int = 0
    audio_seconds: float = 0.0
    codecs: tuple[str, ...] = ()
    complaints: list[str] = field(default_factory=list)
    """What the player printed as a warning, without the known harmless ones."""
    video_pts: list[float] = field(default_factory=list)
    """Seconds, in the order of decoding."""
    first_after_s: float = 0.0

    @property
    def time_complaints(self) -> list[str]:
        """Warnings about timestamps."""
        return [line for line in self.complaints if TIME_WORDS.search(line)]

    @property
    def largest_step_s(self) -> float:
        """Largest distance of two pictures in the order of presentation."""
        ordered = sorted(self.video_pts)
        return max((b - a for a, b in itertools.pairwise(ordered)), default=0.0)


def ffmpeg(url: str, seconds: float, *options: str) -> Play:
    """Decode `seconds` of stream time with the system's ffmpeg, and list its packets beside it. `options` are the input's."""
    command = ["ffmpeg", "-hide_banner", "-nostdin", "-v", "warning", "-threads", "1", *options, "-i", url]
    command += ["-map", "0", "-t", str(seconds), "-progress", "pipe:2", "-f", "null", "-"]
    command += ["-map", "0", "-t", str(seconds), "-c", "copy", "-f", "framecrc", "pipe:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + START_ALLOWANCE_S, check=False)
    play = Play(seconds)
    bases: dict[int, float] = {}
    kinds: dict[int, str] = {}
    codecs: dict[int, str] = {}
    sound: list[tuple[float, float]] = []
    for line in done.stdout.splitlines():
        if match := re.match(r"#tb (\d+): (\d+)/(\d+)", line):
            bases[int(match[1])] = int(match[2]) / int(match[3])
        elif match := re.match(r"#media_type (\d+): (\w+)", line):
            kinds[int(match[1])] = match[2]
        elif match := re.match(r"#codec_id (\d+): (\w+)", line):
            codecs[int(match[1])] = match[2]
        elif line and not line.startswith("#"):
            index, _dts, pts, duration = (int(part) for part in line.split(",")[:4])
            if kinds.get(index) == "video":
                play.video_pts.append(pts * bases[index])
            elif kinds.get(index) == "audio":
                sound.append((pts * bases[index], duration * bases[index]))
    play.audio_seconds = covered(sound)
    play.codecs = tuple(codecs[index] for index in sorted(codecs))
    progress = re.compile(r"[a-z0-9_]+=\s*\S*")
    for line in done.stderr.splitlines():
        if match := re.fullmatch(r"frame=\s*(\d+)", line):
            play.frames = int(match[1])
        elif line.strip() and not progress.fullmatch(line) and not KNOWN_MESSAGES.search(line):
            play.complaints.append(line)
    if done.returncode:
        play.complaints.append(f"ffmpeg ended with exit code {done.returncode}")
    return play


def pyav(url: str, seconds: float) -> Play:
    """Decode with the newer FFmpeg inside PyAV, which knows enhanced RTMP. Runs until `seconds` of stream time are over."""
    play = Play(seconds)
    began = time.monotonic()
    with av.open(url, timeout=(START_ALLOWANCE_S, START_ALLOWANCE_S)) as container:
        play.codecs = tuple(stream.codec_context.name for stream in container.streams if stream.codec_context)
        video = container.streams.video[0]
        first: float | None = None
        last_dts: dict[int, int] = {}
        sound: list[tuple[float, float]] = []
        for packet in container.demux():
            if packet.dts is None or packet.pts is None:
                continue
            at = float(packet.pts * packet.time_base)
            first = at if first is None else first
            play.first_after_s = play.first_after_s or time.monotonic() - began
            if at - first >= seconds:
                break
            if packet.dts <= last_dts.get(packet.stream_index, packet.dts - 1):
                play.complaints.append(f"dts {packet.dts} after {last_dts[packet.stream_index]} on {packet.stream_index}")
            last_dts[packet.stream_index] = packet.dts
            if packet.stream_index == video.index:
                play.video_pts.append(at)
                play.frames += len(packet.decode())
            elif packet.duration:
                sound.append((at, float(packet.duration * packet.time_base)))
        play.frames += len(video.decode(None))
    play.audio_seconds = covered(sound)
    return play


def covered(sound: list[tuple[float, float]]) -> float:
    """Seconds of sound in packets of (time, duration), without the holes.

    In RTMP durations are whole milliseconds: 21 instead of 21.33 add up to 1.6 % less.
    """
    steps = [(after[0] - one[0], one[1]) for one, after in itertools.pairwise(sound)]
    return sum(step if step <= 2 * duration else duration for step, duration in steps) + (sound[-1][1] if sound else 0.0)
