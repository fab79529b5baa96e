"""The RTMP programs people use: players that watch a stream, recorders that save it, and encoders that publish a file.

Whatever a player leaves behind (a file, a recording on its standard output) is read back with the newest FFmpeg there is, the
one inside PyAV. Each program runs for a few seconds of stream and is ended by its process id.
"""

from __future__ import annotations

import functools
import io
import itertools
import os
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import players

TESTBED = Path(__file__).resolve().parent
OPEN_S = 12.0
"""FFmpeg's players take 5 s to open a stream without sound, and the machine may be busy."""
PLAY_S = 40.0
"""For a client to open a stream on a busy machine; what it plays comes on top."""
END_S = 10.0
UPTIME_S = 60.0
NOBODY = 65534
TIME_WORDS = re.compile(r"\b(dts|pts|timestamps?|non.?monoton\w*|discontinuit\w+|out of order|past duration)\b", re.IGNORECASE)


@dataclass(slots=True)
class Seen:
    """What a client got: packets by codec, pictures that could be decoded, their times in seconds."""

    packets: dict[str, int] = field(default_factory=dict)
    decoded: int = 0
    decode_errors: int = 0
    shown: list[float] = field(default_factory=list)
    """Presentation times in the order in which the decoder gave the pictures out."""
    heard: list[float] = field(default_factory=list)
    dts: list[float] = field(default_factory=list)
    first_is_key: bool = False
    said: str = ""
    """What the program printed."""

    @property
    def codecs(self) -> tuple[str, ...]:
        """Codecs of which anything came."""
        return tuple(sorted(self.packets))

    @property
    def shown_s(self) -> float:
        """Time between the first and the last picture."""
        return max(self.shown) - min(self.shown) if self.shown else 0.0

    @property
    def heard_s(self) -> float:
        """Time between the first and the last sound."""
        return self.heard[-1] - self.heard[0] if self.heard else 0.0

    @property
    def largest_step_s(self) -> float:
        """Largest distance of two pictures."""
        return max((b - a for a, b in itertools.pairwise(self.shown)), default=0.0)

    @property
    def complaints(self) -> list[str]:
        """Lines about time that the program printed."""
        return [line for line in self.said.splitlines() if TIME_WORDS.search(line)]


def look(source: str | bytes, seconds: float | None = None, options: Mapping[str, str] | None = None) -> Seen:
    """Demux and decode an address for `seconds` of stream time, or a whole recording."""
    seen = Seen()
    opened = av.open(io.BytesIO(source)) if isinstance(source, bytes) else av.open(source, timeout=OPEN_S, options=options)
    with opened as container:
        first: float | None = None
        packets = container.demux()
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                packet = None  # a recording that was cut off in the middle of its last message
            if packet is None:
                break
            if packet.dts is None or packet.pts is None or packet.stream.type not in ("video", "audio"):
                continue
            at = float(packet.dts * packet.time_base)
            first = at if first is None else first
            if seconds is not None and at - first >= seconds:
                break
            name = packet.stream.codec_context.codec.canonical_name
            seen.packets[name] = seen.packets.get(name, 0) + 1
            if packet.stream.type == "audio":
                seen.heard.append(float(packet.pts * packet.time_base))
                continue
            seen.first_is_key = packet.is_keyframe if not seen.dts else seen.first_is_key
            seen.dts.append(at)
            _decode(packet, seen)
    return seen  # what the decoder still holds back lies behind the cut


def _decode(packet: av.Packet, seen: Seen) -> None:
    try:
        for picture in packet.decode():
            seen.decoded += 1
            seen.shown.append(picture.time)
    except av.FFmpegError:
        seen.decode_errors += 1


def run(command: list[str], enough: Callable[[bytes], bool], *, merged: bool = False, more_s: float = 0.0) -> tuple[bytes, str]:
    """Standard output until there is enough of it, and what else was printed (with `merged` all is one)."""
    environ = {**os.environ, "HOME": "/nonexistent"}
    environ.pop("XDG_RUNTIME_DIR", None)
    out = b""
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if merged else errors,
            env=environ, cwd="/",
        )  # fmt: skip
        assert process.stdout is not None
        deadline = time.monotonic() + PLAY_S + more_s
        while not enough(out) and (left := deadline - time.monotonic()) > 0:
            if select.select([process.stdout], [], [], left)[0]:
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    break
                out += data
        process.stdout.close()
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(END_S)
        errors.seek(0)
        return out, errors.read().decode(errors="replace")


# --- players ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Wish:
    """How much a client should play."""

    url: str
    seconds: float
    byte_rate: float
    """Of the stream, bytes a second: recorders are ended by what they have written."""
    video: bool = True


def ffmpeg(wish: Wish) -> Seen:
    """The system's ffmpeg."""
    play = players.ffmpeg(wish.url, wish.seconds)
    seen = Seen(decoded=play.frames, shown=sorted(play.video_pts), said="\n".join(play.complaints))
    seen.heard = [0.0, play.audio_seconds] if play.audio_seconds else []
    seen.packets = dict.fromkeys(play.codecs, 1)
    return seen


def ffmpeg8(wish: Wish) -> Seen:
    """FFmpeg 8, inside PyAV."""
    return look(wish.url, wish.seconds)


def rtmpdump(wish: Wish) -> Seen:
    """librtmp's own tool, recording."""
    return _recorded(["rtmpdump", "-q", "-v", "-r", wish.url, "-o", "-"], wish)


def rtmpsrc(wish: Wish) -> Seen:
    """GStreamer's element around librtmp."""
    return _recorded(["gst-launch-1.0", "-q", "rtmpsrc", f"location={wish.url} live=1", "!", "fdsink", "fd=1"], wish)


def rtmp2src(wish: Wish) -> Seen:
    """GStreamer's own RTMP."""
    return _recorded(["gst-launch-1.0", "-q", "rtmp2src", f"location={wish.url}", "!", "fdsink", "fd=1"], wish)


def mpv(wish: Wish) -> Seen:
    """mpv, playing in real time without a window. It says the time of every picture it shows."""
    options = ["--no-config", "--vo=null", "--ao=null", "--framedrop=no", "--sub=no", "--msg-level=all=warn,statusline=status"]
    times = re.compile(rb"@(-?[\d.]+)@")

    def enough(printed: bytes) -> bool:
        found = times.findall(printed)
        return bool(found) and float(found[-1]) - float(found[0]) >= wish.seconds

    printed, _ = run(["mpv", *options, "--term-status-msg=@${=time-pos}@", wish.url], enough, merged=True, more_s=wish.seconds)
    found = [float(at) for at in dict.fromkeys(times.findall(printed))]
    lines = [line.strip() for line in re.split(r"[\r\n]|\x1b\[K", times.sub(b"", printed).decode(errors="replace"))]
    seen = Seen(said="\n".join(filter(None, lines)))
    if wish.video:
        seen.decoded, seen.shown = len(found), found
    else:
        seen.heard = found
    return seen


def vlc(wish: Wish) -> Seen:
    """VLC, recording what its demuxer makes of the stream. It refuses to run as root."""
    as_user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if os.geteuid() == 0 else []
    record = ["cvlc", "-q", "--sout", "#standard{access=file,mux=ts,dst=-}", "--sout-all"]
    more = replace(wish, seconds=wish.seconds * (1 if wish.video else 2))  # of a transport stream sound is but a half
    seen = _recorded([*as_user, *record, wish.url, "vlc://quit"], more)
    if seen.shown:
        # pictures before the first B-frame are dated from zero, the others from the start of the machine, from a plain file too
        middle = statistics.median(seen.shown)
        seen.shown = sorted(at for at in seen.shown if abs(at - middle) < UPTIME_S)
        seen.decoded = len(seen.shown)
    return seen


def _recorded(command: list[str], wish: Wish) -> Seen:
    out, said = run(command, lambda written: len(written) >= wish.seconds * wish.byte_rate, more_s=wish.seconds)
    seen = look(out) if out else Seen()
    seen.said = said
    return seen


PLAYERS: dict[str, Callable[[Wish], Seen]] = {
    "ffmpeg": ffmpeg, "ffmpeg8": ffmpeg8, "rtmpdump": rtmpdump, "rtmpsrc": rtmpsrc, "rtmp2src": rtmp2src, "mpv": mpv,
    "vlc": vlc,
}  # fmt: skip
PROGRAMS = {"vlc": "cvlc"} | dict.fromkeys(("rtmpsrc", "rtmp2src", "rtmpsink", "rtmp2sink"), "gst-launch-1.0")


def missing(name: str) -> str:
    """Why a client cannot be run here; empty if it can."""
    program = PROGRAMS.get(name, name)
    if name in ("ffmpeg8", "obs") or shutil.which(program):
        return ""
    return f"{program} is not installed"


# --- encoders ---------------------------------------------------------------------------------------------------------------

REMUX = """
import sys, time, av
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w", format="flv") as out:
    streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
    began = time.monotonic()
    for packet in source.demux():
        if packet.dts is None:
            continue
        if len(sys.argv) > 3:
            time.sleep(max(0.0, began + float(packet.dts * packet.time_base) - time.monotonic()))
        packet.stream = streams[packet.stream.index]
        out.mux(packet)
"""


def flv_of(clip: Path) -> Path:
    """The clip as FLV, H.265 in the form of Enhanced RTMP."""
    flv = clip.with_suffix(".flv")
    subprocess.run([sys.executable, "-c", REMUX, str(clip), str(flv)], check=True, timeout=60)
    return flv


def publish_ffmpeg(clip: Path, url: str) -> list[str]:
    """The system's ffmpeg."""
    return ["ffmpeg", "-hide_banner", "-nostdin", "-v", "error", "-re", "-i", str(clip), "-c", "copy", "-f", "flv", url]


def publish_ffmpeg8(clip: Path, url: str) -> list[str]:
    """FFmpeg 8, inside PyAV."""
    return [sys.executable, "-c", REMUX, str(clip), url, "realtime"]


def publish_obs(clip: Path, url: str) -> list[str]:
    """OBS's order and manners."""
    return [sys.executable, str(TESTBED / "obs_publisher.py"), str(clip.with_suffix(".flv")), url]


def publish_gst(sink: str, clip: Path, url: str) -> list[str]:
    """GStreamer with one of its two RTMP sinks."""
    has_video, has_audio = _tracks(clip)
    pipeline = ["filesrc", f"location={clip}", "!", "qtdemux", "name=d", "flvmux", "name=mux", "streamable=true", "!"]
    pipeline += [sink, f"location={url}" + (" live=1" if sink == "rtmpsink" else ""), "sync=true"]
    for there, pad, parser in ((has_video, "d.video_0", "h264parse"), (has_audio, "d.audio_0", "aacparse")):
        pipeline += [pad, "!", "queue", "!", parser, "!", "mux."] if there else []
    return ["gst-launch-1.0", "-q", *pipeline]


def _tracks(clip: Path) -> tuple[bool, bool]:
    with av.open(str(clip)) as source:
        return bool(source.streams.video), bool(source.streams.audio)


PUBLISHERS: dict[str, Callable[[Path, str], list[str]]] = {
    "ffmpeg": publish_ffmpeg, "ffmpeg8": publish_ffmpeg8, "rtmpsink": functools.partial(publish_gst, "rtmpsink"),
    "rtmp2sink": functools.partial(publish_gst, "rtmp2sink"), "obs": publish_obs,
}  # fmt: skip


def encode(path: Path, *options: str, seconds: float, video: bool = True, audio: bool = True) -> Path:
    """A clip as MP4. A moving test picture at 25 fps with a keyframe every second, and a tone."""
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25"] if video else []
    sound = ["-f", "lavfi", "-i", "sine=sample_rate=48000"] if audio else []
    coders = []
    if video:
        coders += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-sc_threshold", "0"]
    if audio:
        coders += ["-c:a", "aac", "-ac", "2", "-b:a", "64k"]
    command = ["ffmpeg", "-y", "-v", "error", *picture, *sound, "-t", str(seconds), *coders, *options, str(path)]
    subprocess.run(command, check=True, timeout=120)
    return path
