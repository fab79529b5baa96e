#!/usr/bin/python3
"""A camera we did not write: GStreamer's rtsp-server with switches for what real cameras differ in.

Run with the system's Python, which has PyGObject. Prints one JSON line `{"port": N}` when it listens and serves until
SIGTERM. With one mount the stream is at `--path`, with several at /cam0, /cam1, ... The picture carries the clock of
DESIGN section 5, so that latency can be read from the pixels at the far end; with `--loop` it is a clip encoded before.
The sound ticks every 3 s.
"""

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from clock_picture import Painter  # noqa: E402
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 -- after the version choice
from loop_clip import access_units  # noqa: E402

CLOCK_WAIT_S = 10.0
TONE = (
    "audiotestsrc is-live=true wave=ticks tick-interval=3000000000 samplesperbuffer={n} "
    "! audio/x-raw,rate={rate},channels={channels} ! audioconvert"
)
SOURCE = "appsrc name=picture is-live=true format=time caps={caps}"


def video_branch(o: argparse.Namespace) -> str:
    """gst-launch description of the video."""
    raw = SOURCE.format(caps=f"video/x-raw,format=I420,width={o.width},height={o.height},framerate={o.fps}/1")
    if o.jitter:
        raw += " do-timestamp=true"
    if o.video == "mjpeg":
        return f"{raw} ! queue ! jpegenc ! rtpjpegpay name=pay0 pt=26"
    pay = f"{o.video}parse ! rtp{o.video}pay name=pay0 pt=96 config-interval={o.config_interval}"
    if o.loop:
        caps = f"video/x-{o.video},stream-format=byte-stream,alignment=au,framerate={o.fps}/1"
        return f"{SOURCE.format(caps=caps)} ! {pay}"
    if o.video == "h264":
        encoder = (
            f"x264enc threads=1 speed-preset=ultrafast bitrate={o.bitrate} key-int-max={o.gop} "
            f"bframes={o.bframes} b-adapt=false {'' if o.bframes else 'tune=zerolatency'} option-string=scenecut=0 "
            f"! video/x-h264,profile={'main' if o.bframes else 'constrained-baseline'}"
        )
    else:
        encoder = (
            f"x265enc speed-preset=ultrafast tune=zerolatency bitrate={o.bitrate} key-int-max={o.gop} "
            "option-string=bframes=0:scenecut=0:pools=1:frame-threads=1:log-level=none"
        )
    return f"{raw} ! queue ! {encoder} ! {pay}"


def audio_branch(o: argparse.Namespace, payloader: str) -> str:
    """gst-launch description of the sound."""
    if o.audio == "aac":
        tone = TONE.format(n=1024, rate=44100, channels=2)
        return f"{tone} ! queue ! avenc_aac bitrate=64000 ! aacparse ! rtpmp4gpay name={payloader} pt=97"
    law, number = ("mulaw", 0) if o.audio == "pcmu" else ("alaw", 8)
    return f"{TONE.format(n=160, rate=8000, channels=1)} ! queue ! {law}enc ! rtp{o.audio}pay name={payloader} pt={number}"


def pipeline(o: argparse.Namespace) -> str:
    """gst-launch description of the camera's media."""
    branches = []
    if o.video != "none":
        branches.append(video_branch(o))
    if o.audio != "none":
        branches.append(audio_branch(o, f"pay{len(branches)}"))
    return " ".join(f"( {' '.join(branches)} )".split())


class Factory(GstRtspServer.RTSPMediaFactory):
    """One shared live pipeline, started for the first client and kept, as a camera does."""

    def __init__(self, o: argparse.Namespace, clip: list[tuple[bytes, bool]]) -> None:
        super().__init__()
        self.o, self.clip = o, clip
        self.set_launch(pipeline(o))
        self.set_shared(True)
        self.set_suspend_mode(GstRtspServer.RTSPSuspendMode.NONE)
        if o.protocol == "udp":
            self.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        elif o.protocol == "tcp":
            self.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
        self.connect("media-configure", self.on_configure)

    def on_configure(self, _factory, media) -> None:
        """Feed the pictures from a thread of their own, at an even pace."""
        for name in ("pay0", "pay1"):
            pay = media.get_element().get_by_name(name)
            if pay:
                pay.get_static_pad("src").add_probe(Gst.PadProbeType.QUERY_UPSTREAM, refuse_seeking)
        # A second preparation keeps the pipeline running when the last client leaves: later ones join in mid-GOP.
        media.connect("prepared", lambda media: media.prepare(None))
        media.connect("prepared", report_capture_times)
        picture = media.get_element().get_by_name("picture")
        if picture:
            threading.Thread(target=self.feed, args=(picture,), daemon=True).start()

    def feed(self, picture) -> None:
        """Push pictures, dated n/fps after the first one, until the pipeline is gone."""
        clock = wait_for_clock(picture)
        painter = Painter(self.o.width, self.o.height)
        interval = Gst.SECOND // self.o.fps
        first = clock.get_time() - picture.get_base_time()
        wall = time.time() - first / Gst.SECOND
        count = 0
        while True:
            due = first + count * Gst.SECOND // self.o.fps
            time.sleep(max(0.0, (due - (clock.get_time() - picture.get_base_time())) / Gst.SECOND))
            if self.clip:
                data, key = self.clip[count % len(self.clip)]
            else:
                data, key = painter.paint(int((wall + due / Gst.SECOND) * 1000)), True
            buffer = Gst.Buffer.new_wrapped(data)
            if not self.o.jitter:
                buffer.pts, buffer.duration = due, interval
                if self.clip:
                    buffer.dts = due
            if not key:
                buffer.set_flags(Gst.BufferFlags.DELTA_UNIT)
            if picture.emit("push-buffer", buffer) not in (Gst.FlowReturn.OK, Gst.FlowReturn.FLUSHING):
                return
            count += 1


def report_capture_times(media) -> None:
    """Date sender reports by capture, not by sending: else each is wrong by what the encoder took at that moment."""
    elements = media.get_element().get_parent().iterate_elements()
    while True:
        result, element = elements.next()
        if result is not Gst.IteratorResult.OK:
            return
        if element.get_factory().get_name() == "rtpbin":
            element.set_property("rtcp-sync-send-time", False)


def wait_for_clock(element):
    """The pipeline's clock, which it has from PLAYING on."""
    deadline = time.monotonic() + CLOCK_WAIT_S
    while time.monotonic() < deadline:
        clock = element.get_clock()
        if clock is not None and element.get_base_time() > 0:
            return clock
        time.sleep(0.005)
    raise RuntimeError("the pipeline never started")


def refuse_seeking(_pad, info):
    """A live picture cannot seek; without this, PLAY fails once an audio test source is in the pipeline too."""
    if info.get_query().type == Gst.QueryType.SEEKING:
        return Gst.PadProbeReturn.DROP
    return Gst.PadProbeReturn.OK


def parser() -> argparse.ArgumentParser:
    """All the switches."""
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--host", default="127.0.0.1")
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--path", default="/cam")
    p.add_argument("--mounts", type=int, default=1, help="several cameras in this process, at /cam0, /cam1, ...")
    p.add_argument("--video", choices=("h264", "h265", "mjpeg", "none"), default="h264")
    p.add_argument("--audio", choices=("none", "aac", "pcmu", "pcma"), default="none")
    p.add_argument("--width", type=int, default=640)
    p.add_argument("--height", type=int, default=360)
    p.add_argument("--fps", type=int, default=25)
    p.add_argument("--gop", type=int, default=50, help="frames between keyframes")
    p.add_argument("--bframes", type=int, default=0)
    p.add_argument("--bitrate", type=int, default=1000, help="kbit/s")
    p.add_argument("--config-interval", type=int, default=-1)
    p.add_argument("--jitter", action="store_true", help="date pictures by their arrival, as cheap cameras do")
    p.add_argument("--loop", type=Path, help="repeat this Annex B clip (see loop_clip.py) instead of encoding")
    p.add_argument("--auth", choices=("none", "basic", "digest"), default="none")
    p.add_argument("--username", default="admin")
    p.add_argument("--password", default="secret")
    p.add_argument("--protocol", choices=("any", "tcp", "udp"), default="any")
    return p


def protect(server, factories: list[Factory], o: argparse.Namespace) -> None:
    """Ask for the user name and password."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "user")
    if o.auth == "basic":
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(o.username, o.password), token)
    else:
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
        auth.add_digest(o.username, o.password, token)
    server.set_auth(auth)
    role = Gst.Structure.new_from_string("user,media.factory.access=true,media.factory.construct=true")
    for factory in factories:
        factory.add_role_from_structure(role)


def main() -> int:
    """Serve until SIGTERM."""
    o = parser().parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(o.host)
    server.set_service(str(o.port))
    clip = access_units(o.loop.read_bytes(), o.video) if o.loop else []
    paths = [o.path] if o.mounts == 1 else [f"/cam{number}" for number in range(o.mounts)]
    factories = [Factory(o, clip) for _ in paths]
    if o.auth != "none":
        protect(server, factories, o)
    for path, factory in zip(paths, factories, strict=True):
        server.get_mount_points().add_factory(path, factory)
    if server.attach(None) == 0:
        print(f"cannot listen on port {o.port}", file=sys.stderr)
        return 1
    print(json.dumps({"port": server.get_bound_port()}), flush=True)
    loop = GLib.MainLoop()
    signal.signal(signal.SIGTERM, lambda *_: loop.quit())
    signal.signal(signal.SIGINT, lambda *_: loop.quit())
    GLib.timeout_add(200, lambda: True)  # lets Python see the signals
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
