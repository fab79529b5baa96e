"""Turns a camera's access units into the payload of a canonical frame, and keeps the track's configuration up to date.

Parameter sets are taken out of the samples and into the configuration, whether they come from the SDP or in-band, so that
a stream whose sets exist only in-band, or change with the resolution, is the same to every output. libavformat's muxers
would do the conversion too, but they notice neither (see design/architecture.md). Pure; called by reader threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import CodecUnsupported
from gateway.media import aac, annexb, h264, h265
from gateway.media.bits import BitReader, BitstreamError, unescape
from gateway.media.track import Codec, TrackConfig


@dataclass(frozen=True, slots=True)
class Unit:
    """One access unit in canonical form."""

    payload: bytes
    keyframe: bool
    config: TrackConfig
    reorder: int | None
    """Pictures the stream declares to reorder; None where it does not say (see `timestamps`)."""


class Canonical(Protocol):
    """Converter of one track."""

    def take(self, data: bytes, keyframe: bool) -> Unit | None:
        """Convert one packet. `keyframe` is what the demuxer thinks. None: nothing to show yet, or nothing in it."""


class CanonicalPicture(Canonical, Protocol):
    """Converter of a video track."""

    @staticmethod
    def begins_picture(unit: bytes) -> bool:
        """The NAL unit is the first slice of a picture or field."""

    def take_units(self, units: list[bytes], keyframe: bool) -> Unit | None:
        """The same for an access unit that is in NAL units already."""


def video(codec: Codec, extradata: bytes) -> CanonicalPicture:
    """Converter of a video track; `extradata` is what the session announced, possibly nothing."""
    if codec is Codec.H264:
        return H264(extradata)
    if codec is Codec.H265:
        return H265(extradata)
    raise CodecUnsupported(f"video codec {codec.value} cannot be pulled over RTSP yet")


class H264:
    """H.264 in Annex B or length-prefixed form."""

    @staticmethod
    def begins_picture(unit: bytes) -> bool:
        """See `CanonicalPicture.begins_picture`."""
        return h264.begins_picture(unit)

    def __init__(self, extradata: bytes = b"") -> None:
        self._sps: dict[int, bytes] = {}
        self._pps: dict[int, bytes] = {}
        self._config: TrackConfig | None = None
        self._reorder: int | None = None
        self._dirty = False
        self._learn(_announced(extradata, lambda data: [u for units in h264.parameter_sets(data) for u in units]))

    def take(self, data: bytes, keyframe: bool) -> Unit | None:
        """See `Canonical.take`."""
        return self.take_units(nal_units(data), keyframe)

    def take_units(self, units: list[bytes], keyframe: bool) -> Unit | None:
        """See `CanonicalPicture.take_units`."""
        changed = self._learn(units)
        keyframe = keyframe or h264.can_start(units)
        config = self._refresh(keyframe)
        # A set that changes between keyframes must reach decoders now: it stays in the sample, which they accept.
        kept = [unit for unit in units if h264.in_sample(unit) or (changed and not keyframe)]
        if config is None or not any(h264.is_slice(unit) for unit in kept):
            return None
        return Unit(annexb.join(kept), keyframe, config, self._reorder)

    def _learn(self, units: list[bytes]) -> bool:
        """Take in the parameter sets of one access unit; True if any is new."""
        sps: dict[int, bytes] = {}
        pps: dict[int, bytes] = {}
        for unit in units:
            kind = unit[0] & 31
            if kind in (h264.NAL_SPS, h264.NAL_PPS) and (number := _h264_set_id(unit)) is not None:
                (sps if kind == h264.NAL_SPS else pps)[number] = unit
        if not sps and not pps:
            return False
        # An access unit with an SPS says all that is in force from here: sets of a former resolution must not linger.
        new_pps = pps if sps and pps else {**self._pps, **pps}
        new_sps = sps or self._sps
        if (new_sps, new_pps) == (self._sps, self._pps):
            return False
        self._sps, self._pps = new_sps, new_pps
        self._dirty = True
        return True

    def _refresh(self, keyframe: bool) -> TrackConfig | None:
        if self._dirty and self._sps and self._pps and (keyframe or self._config is None):
            try:
                config = h264.track_config(list(self._sps.values()), list(self._pps.values()))
                self._reorder = h264.parse_sps(next(iter(self._sps.values()))).reorder
            except BitstreamError:
                self._sps.clear()
                return self._config
            self._dirty = False
            if config != self._config:
                self._config = config
        return self._config


class H265:
    """H.265 in Annex B or length-prefixed form."""

    @staticmethod
    def begins_picture(unit: bytes) -> bool:
        """See `CanonicalPicture.begins_picture`."""
        return h265.begins_picture(unit)

    def __init__(self, extradata: bytes = b"") -> None:
        self._sets: dict[int, dict[int, bytes]] = {h265.NAL_VPS: {}, h265.NAL_SPS: {}, h265.NAL_PPS: {}}
        self._config: TrackConfig | None = None
        self._reorder: int | None = None
        self._dirty = False
        self._learn(_announced(extradata, lambda data: [u for units in h265.parameter_sets(data) for u in units]))

    def take(self, data: bytes, keyframe: bool) -> Unit | None:
        """See `Canonical.take`."""
        return self.take_units(nal_units(data), keyframe)

    def take_units(self, units: list[bytes], keyframe: bool) -> Unit | None:
        """See `CanonicalPicture.take_units`."""
        units = [unit for unit in units if len(unit) > 2]
        changed = self._learn(units)
        keyframe = keyframe or any(h265.is_irap(unit) for unit in units)
        config = self._refresh(keyframe)
        kept = [unit for unit in units if h265.in_sample(unit) or (changed and not keyframe)]
        if config is None or not any(h265.is_slice(unit) for unit in kept):
            return None
        return Unit(annexb.join(kept), keyframe, config, self._reorder)

    def _learn(self, units: list[bytes]) -> bool:
        """Take in the parameter sets of one access unit; True if any is new."""
        brought: dict[int, dict[int, bytes]] = {kind: {} for kind in self._sets}
        for unit in units:
            kind = h265.nal_type(unit)
            if kind in brought and (number := _h265_set_id(unit, kind)) is not None:
                brought[kind][number] = unit
        if not any(brought.values()):
            return False
        whole = bool(brought[h265.NAL_SPS])
        sets = {kind: found if whole and found else {**self._sets[kind], **found} for kind, found in brought.items()}
        if sets == self._sets:
            return False
        self._sets = sets
        self._dirty = True
        return True

    def _refresh(self, keyframe: bool) -> TrackConfig | None:
        if self._dirty and all(self._sets.values()) and (keyframe or self._config is None):
            vps, sps, pps = (list(units.values()) for units in self._sets.values())
            try:
                config = h265.track_config(vps, sps, pps)
                self._reorder = h265.parse_sps(sps[0]).reorder
            except BitstreamError:
                self._sets[h265.NAL_SPS].clear()
                return self._config
            self._dirty = False
            if config != self._config:
                self._config = config
        return self._config


class Aac:
    """AAC, raw or with ADTS headers. A session that announces no configuration gives it in ADTS or not at all."""

    def __init__(self, extradata: bytes = b"") -> None:
        self._config: TrackConfig | None = None
        if extradata:
            try:
                self._config = aac.track_config(extradata)
            except BitstreamError:
                pass  # an empty or odd configuration: ADTS headers may still tell

    def take(self, data: bytes, keyframe: bool) -> Unit | None:
        """See `Canonical.take`."""
        if aac.is_adts(data):
            try:
                asc, data = aac.strip_adts(data)
                if self._config is None or self._config.extradata[:2] != asc:
                    self._config = aac.track_config(asc)
            except BitstreamError:
                return None
        if self._config is None or not data:
            return None
        return Unit(data, True, self._config, 0)


def _h264_set_id(unit: bytes) -> int | None:
    """seq_parameter_set_id or pic_parameter_set_id; None where the set cannot be one."""
    is_sps = unit[0] & 31 == h264.NAL_SPS
    try:
        r = BitReader(unescape(unit[:64])[1:])
        if is_sps:
            r.skip(24)
        number = r.ue()
    except BitstreamError:
        return None
    limit = h264.MAX_SPS_ID if is_sps else h264.MAX_PPS_ID
    return number if number <= limit and len(unit) <= h264.MAX_SET_BYTES else None


def _h265_set_id(unit: bytes, kind: int) -> int | None:
    """Id of a VPS or PPS; None where the set cannot be one. An SPS has it behind the profile: cameras use one SPS."""
    if not 2 < len(unit) <= h264.MAX_SET_BYTES:
        return None
    if kind == h265.NAL_SPS:
        return 0
    if kind == h265.NAL_VPS:
        return unit[2] >> 4
    try:
        number = BitReader(unescape(unit[:32])[2:]).ue()
    except BitstreamError:
        return None
    return number if number <= 63 else None


def nal_units(data: bytes) -> list[bytes]:
    """NAL units of an access unit in Annex B or length-prefixed form; none where it is neither."""
    units = annexb.split(data)
    if not units and len(data) > 4:
        try:
            units = [unit for unit in annexb.split_lengths(data) if unit]
        except ValueError:
            return []
    return units


def _announced(extradata: bytes, parse_record: Callable[[bytes], list[bytes]]) -> list[bytes]:
    if not extradata:
        return []
    if extradata[0] == 1:
        try:
            return parse_record(extradata)
        except BitstreamError:
            return []
    return annexb.split(extradata)
