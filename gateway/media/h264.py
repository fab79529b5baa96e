"""H.264: parameter sets, decoder configuration record, and which NAL units belong into a sample. Pure.

Sources: ITU-T H.264 sections 7.3.2.1, 7.4.1 and E.1; ISO/IEC 14496-15 section 5.3.3.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.media.bits import BitReader, BitstreamError, unescape
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig

NAL_IDR = 5
NAL_SEI = 6
NAL_SPS = 7
NAL_PPS = 8
NAL_AUD = 9
_SLICES = range(1, 6)
_SEI_RECOVERY_POINT = 6
_NOT_IN_SAMPLE = frozenset({NAL_SPS, NAL_PPS, NAL_AUD, 10, 11, 12})
"""Parameter sets live in the configuration; delimiters, end marks and filler only cost bytes."""
_CHROMA_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})
_NO_REORDER_PROFILES = frozenset({66})
MAX_DIMENSION = 16_384
MAX_BIT_DEPTH = 14
MAX_SPS_ID = 31
MAX_PPS_ID = 255
MAX_SET_BYTES = 65_535
"""Lengths in a decoder configuration record have 16 bits."""


@dataclass(frozen=True, slots=True)
class Sps:
    """What we need of a sequence parameter set."""

    profile: int
    constraints: int
    level: int
    width: int
    height: int
    reorder: int | None
    """Pictures a decoder may hold back (max_num_reorder_frames); None where the camera does not say."""
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int


def nal_type(unit: bytes) -> int:
    """nal_unit_type."""
    return unit[0] & 31


def parse_sps(unit: bytes) -> Sps:
    """Parse an SPS NAL unit. Raises BitstreamError on garbage."""
    r = BitReader(unescape(unit)[1:])
    profile, constraints, level = r.u(8), r.u(8), r.u(8)
    r.ue()
    chroma, depth_luma, depth_chroma = 1, 8, 8
    separate_planes = False
    if profile in _CHROMA_PROFILES:
        chroma = r.ue()
        if chroma == 3:
            separate_planes = r.flag()
        depth_luma, depth_chroma = 8 + r.ue(), 8 + r.ue()
        r.skip(1)
        if r.flag():
            for index in range(8 if chroma != 3 else 12):
                if r.flag():
                    _skip_scaling_list(r, 16 if index < 6 else 64)
    check_format(chroma, depth_luma, depth_chroma)
    r.ue()
    poc_type = r.ue()
    if poc_type == 0:
        r.ue()
    elif poc_type == 1:
        r.skip(1)
        r.se()
        r.se()
        for _ in range(min(r.ue(), 256)):
            r.se()
    r.ue()
    r.skip(1)
    width_mbs = r.ue() + 1
    height_units = r.ue() + 1
    frame_mbs_only = r.flag()
    if not frame_mbs_only:
        r.skip(1)
    r.skip(1)
    left = right = top = bottom = 0
    if r.flag():
        left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
    unit_x = 1 if chroma in (0, 3) or separate_planes else 2
    unit_y = (2 if chroma == 1 and not separate_planes else 1) * (1 if frame_mbs_only else 2)
    width = width_mbs * 16 - unit_x * (left + right)
    height = height_units * 16 * (1 if frame_mbs_only else 2) - unit_y * (top + bottom)
    if not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION):
        raise BitstreamError(f"impossible picture size {width}x{height}")
    reorder = 0 if profile in _NO_REORDER_PROFILES or poc_type == 2 else None
    try:
        if r.flag():
            declared = _vui_reorder(r)
            reorder = declared if declared is not None else reorder
    except BitstreamError:
        pass  # truncated VUI (some HiSilicon cameras): everything before it is still right
    return Sps(profile, constraints, level, width, height, reorder, chroma, depth_luma, depth_chroma)


def track_config(sps_units: list[bytes], pps_units: list[bytes]) -> TrackConfig:
    """Track of these parameter sets. Raises BitstreamError when the SPS cannot be parsed."""
    sps = parse_sps(sps_units[0])
    return TrackConfig(
        codec=Codec.H264,
        clock_rate=VIDEO_CLOCK_HZ,
        extradata=_configuration(sps_units, pps_units),
        codec_string=f"avc1.{sps.profile:02X}{sps.constraints:02X}{sps.level:02X}",
        width=sps.width,
        height=sps.height,
    )


def parameter_sets(extradata: bytes) -> tuple[list[bytes], list[bytes]]:
    """SPS and PPS NAL units of an AVCDecoderConfigurationRecord. Raises BitstreamError on garbage."""
    try:
        if extradata[0] != 1:
            raise BitstreamError("not an AVCDecoderConfigurationRecord")
        at = 6
        sps, at = _units(extradata, at, extradata[5] & 31)
        pps, at = _units(extradata, at + 1, extradata[at])
    except IndexError as error:
        raise BitstreamError("AVCDecoderConfigurationRecord ends early") from error
    return sps, pps


def in_sample(unit: bytes) -> bool:
    """The NAL unit belongs into a sample."""
    return nal_type(unit) not in _NOT_IN_SAMPLE


def is_slice(unit: bytes) -> bool:
    """The NAL unit carries picture data."""
    return nal_type(unit) in _SLICES


def begins_picture(unit: bytes) -> bool:
    """The NAL unit is the first slice of a picture or field (first_mb_in_slice is 0)."""
    return is_slice(unit) and len(unit) > 1 and unit[1] & 0x80 != 0


def can_start(units: Iterable[bytes]) -> bool:
    """Decoders can start at the picture of these NAL units: it is an IDR picture, or an intra picture whose SEI calls it a
    recovery point that is at once (section D.2.8). Encoders with open GOPs send an IDR picture once in their life."""
    recovery = False
    for unit in units:
        kind = unit[0] & 31
        if kind == NAL_IDR:
            return True
        if kind == NAL_SEI:
            recovery = recovery or _recovers_at_once(unit)
        elif recovery and kind in _SLICES:
            return _begins_with_intra(unit)  # whatever the SEI says, a P picture is none
    return False


def _begins_with_intra(unit: bytes) -> bool:
    """first_mb_in_slice is 0, slice_type 7 (all of them are I) or 2 (this one is)."""
    return len(unit) > 1 and (unit[1] == 0x88 or unit[1] & 0xF0 == 0xB0)


def _recovers_at_once(sei: bytes) -> bool:
    data = unescape(sei[1:]) if b"\0\0\3" in sei else sei[1:]
    at, end = 0, len(data)
    while at + 2 < end:
        kind = size = 0
        while at < end and data[at] == 0xFF:
            kind, at = kind + 255, at + 1
        kind, at = kind + (data[at] if at < end else 0), at + 1
        while at < end and data[at] == 0xFF:
            size, at = size + 255, at + 1
        size, at = size + (data[at] if at < end else 0), at + 1
        if kind == _SEI_RECOVERY_POINT:
            return at < end and data[at] & 0x80 != 0  # recovery_frame_cnt is 0
        at += size
    return False


def check_format(chroma: int, depth_luma: int, depth_chroma: int) -> None:
    """Raise BitstreamError for a chroma format or bit depth that the standards do not have."""
    if chroma > 3 or depth_luma > MAX_BIT_DEPTH or depth_chroma > MAX_BIT_DEPTH:
        raise BitstreamError("impossible chroma format or bit depth")


def _configuration(sps_units: list[bytes], pps_units: list[bytes]) -> bytes:
    first = sps_units[0]
    parsed = parse_sps(first)
    out = bytearray([1, first[1], first[2], first[3], 0xFF, 0xE0 | len(sps_units)])
    for unit in sps_units:
        out += len(unit).to_bytes(2, "big") + unit
    out.append(len(pps_units))
    for unit in pps_units:
        out += len(unit).to_bytes(2, "big") + unit
    if parsed.profile in (100, 110, 122, 144):
        out += bytes([0xFC | parsed.chroma_format, 0xF8 | (parsed.bit_depth_luma - 8), 0xF8 | (parsed.bit_depth_chroma - 8), 0])
    return bytes(out)


def _units(data: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    units = []
    for _ in range(count):
        size = int.from_bytes(data[at : at + 2], "big")
        unit = data[at + 2 : at + 2 + size]
        if len(unit) != size or not unit:
            raise BitstreamError("parameter set ends early")
        units.append(unit)
        at += 2 + size
    return units, at


def _skip_scaling_list(r: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + r.se()) % 256
        last = following or last


def _vui_reorder(r: BitReader) -> int | None:
    if r.flag() and r.u(8) == 255:
        r.skip(32)
    if r.flag():
        r.skip(1)
    if r.flag():
        r.skip(4)
        if r.flag():
            r.skip(24)
    if r.flag():
        r.ue()
        r.ue()
    if r.flag():
        r.skip(65)
    hrds = 0
    for _ in range(2):
        if r.flag():
            hrds += 1
            count = min(r.ue() + 1, 32)
            r.skip(8)
            for _ in range(count):
                r.ue()
                r.ue()
                r.skip(1)
            r.skip(20)
    if hrds:
        r.skip(1)
    r.skip(1)
    if not r.flag():
        return None
    r.skip(1)
    for _ in range(4):
        r.ue()
    reorder = r.ue()
    return reorder if reorder <= 16 else None
