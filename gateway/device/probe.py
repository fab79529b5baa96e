"""Asks a camera everything and watches its streams, for `gateway probe`. Blocking; the caller's thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from gateway.config.model import Camera, RtspDefaults
from gateway.device.advice import Advice, Observed, advise
from gateway.device.attendant import Facts, learn
from gateway.device.link import Link
from gateway.errors import GatewayError, NoVideo, SourceError
from gateway.onvif.media import Profile, choose_profiles
from gateway.onvif.transport import Timeouts
from gateway.redact import redact
from gateway.sources.account import Account
from gateway.sources.camera import pull_settings
from gateway.sources.measure import Measured, measure

Measure = Callable[..., Measured | None]


@dataclass(frozen=True, slots=True)
class ProbedStream:
    """One stream: what the camera says, and what was seen."""

    role: str
    """`main` or `sub`."""
    url: str
    """Without credentials."""
    profile: Profile | None
    """None for a stream given by its RTSP address."""
    measured: Measured | None
    trouble: str
    """Why it could not be measured."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Everything about a camera."""

    facts: Facts | None
    """None for a camera given by its RTSP address."""
    streams: tuple[ProbedStream, ...]
    advice: tuple[Advice, ...]


def probe(camera: Camera, defaults: RtspDefaults, *, watch: bool = True, measure: Measure = measure) -> Probe:
    """Ask and watch. Raises SourceError if the camera cannot be asked, GatewayError for one that sends to us."""
    if camera.publish is not None:
        raise GatewayError(f"{camera.id} sends to the gateway: it cannot be asked")
    facts, found = _streams_of(camera)
    settings = pull_settings(camera, defaults)
    streams = []
    for role, url, profile in found:
        measured, trouble = None, ""
        if watch:
            try:
                measured = measure(f"{camera.id} {role}", url, settings)
            except SourceError as error:
                trouble = redact(str(error))
        streams.append(ProbedStream(role, redact(url), profile, measured, trouble))
    observed = [_observed(stream) for stream in streams]
    offset = facts.clock_offset_s if facts is not None else None
    return Probe(facts, tuple(streams), advise([one for one in observed if one is not None], offset))


def _streams_of(camera: Camera) -> tuple[Facts | None, list[tuple[str, str, Profile | None]]]:
    if camera.address is None:
        urls = [("main", camera.rtsp), ("sub", camera.sub)]
        return None, [(role, url, None) for role, url in urls if url is not None]
    with Link(camera, Account(), lambda _camera: ()).open(Timeouts()) as connection:
        client = connection.client
        facts = learn(client, camera.profile)
        try:
            main, sub = choose_profiles(facts.description.profiles, camera.profile, camera.sub_profile)
        except NoVideo as error:
            raise NoVideo(f"{client.label}: {error}") from None
        chosen = [("main", main)] + ([("sub", sub)] if sub is not None else [])
        return facts, [(role, client.stream_uri(profile.token), profile) for role, profile in chosen]


def _observed(stream: ProbedStream) -> Observed | None:
    seen, said = stream.measured, stream.profile
    if seen is not None:
        return Observed(
            stream.role, seen.codec, seen.width, seen.height, seen.fps, seen.bitrate, seen.keyframe_interval, seen.seconds,
            seen.audio_note, said.fps if said is not None else 0.0,
        )  # fmt: skip
    if said is not None:
        return Observed(stream.role, said.codec or "", said.width, said.height, 0.0, 0.0, 0.0, 0.0)
    return None


def as_json(result: Probe) -> str:
    """For scripts."""
    facts = asdict(result.facts) if result.facts is not None else None
    streams = [asdict(stream) for stream in result.streams]
    advice = [{"key": piece.key, "text": piece.text, **piece.params} for piece in result.advice]
    return json.dumps({"camera": facts, "streams": streams, "advice": advice}, indent=2, ensure_ascii=False)


def as_text(result: Probe) -> str:
    """For people."""
    lines: list[str] = []
    if result.facts is not None:
        lines += _facts_lines(result.facts)
    chosen = {stream.profile.token: stream.role for stream in result.streams if stream.profile is not None}
    for profile in result.facts.description.profiles if result.facts is not None else ():
        size = f"{profile.width}x{profile.height}"
        kbits = f"{profile.bitrate // 1000} kbit/s" if profile.bitrate else ""
        role = chosen.get(profile.token, "")
        lines.append(f"  {profile.token:20} {profile.codec or '?':5} {size:>9} {profile.fps:g} fps {kbits:12} {role}".rstrip())
    for stream in result.streams:
        lines.append(f"{stream.role + ':':6}{stream.url}")
        lines.append(f"      {_measured_line(stream)}")
    lines += [f"- {piece.text}" for piece in result.advice]
    return "\n".join("".join(ch for ch in line if ch.isprintable()) for line in lines)


def _facts_lines(facts: Facts) -> list[str]:
    who = facts.description
    yes = {True: "yes", False: "no"}
    lines = [f"{who.manufacturer} {who.model}, firmware {who.firmware}, serial {who.serial}"]
    for interface in facts.interfaces:
        dhcp = " (DHCP)" if interface.dhcp else ""
        lines.append(f"network {interface.name}: {', '.join(interface.addresses) or '?'}{dhcp} {interface.mac}".rstrip())
    steered = facts.ptz is not None
    lines.append(f"clock {facts.clock_offset_s:+.0f} s, can be steered: {yes[steered]}, reports events: {yes[facts.events]}")
    return lines


def _measured_line(stream: ProbedStream) -> str:
    seen = stream.measured
    if seen is None:
        return stream.trouble or "not watched"
    keyframes = (
        f"keyframe every {seen.keyframe_interval:.1f} s ({seen.gop} pictures)"
        if seen.keyframe_interval
        else f"one keyframe in {seen.seconds:.0f} s"
    )
    sound = seen.audio_note or seen.audio or "no sound"
    return f"{seen.codec} {seen.width}x{seen.height} {seen.fps:.1f} fps {seen.bitrate / 1000:.0f} kbit/s, {keyframes}, {sound}"
