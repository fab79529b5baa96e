"""H.265: parameter sets, decoder configuration record, and which NAL units belong into a sample. Pure.

Sources: ITU-T H.265 sections 7.3.2, 7.3.3 and 7.4.2.2; ISO/IEC 14496-15 section 8.3.3 and annex E (codec string).
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.media.bits import BitReader, BitstreamError, unescape
from gateway.media.h264 import MAX_DIMENSION, check_format
from gateway.media.track import VIDEO_CLOCK_HZ, Codec, TrackConfig

NAL_VPS = 32
NAL_SPS = 33
NAL_PPS = 34
NAL_AUD = 35
_IRAP = range(16, 24)
_SLICES = range(32)
_NOT_IN_SAMPLE = frozenset({NAL_VPS, NAL_SPS, NAL_PPS, NAL_AUD, 36, 37, 38})
_PROFILE_TIER_LEVEL_BYTES = 12


@dataclass(frozen=True, slots=True)
class Sps:
    """What we need of a sequence parameter set."""

    profile_tier_level: bytes
    """general_profile_space .. general_level_idc, 12 bytes as they stand in the SPS."""
    sub_layers: int
    temporal_id_nested: bool
    chroma_format: int
    bit_depth_luma: int
    bit_depth_chroma: int
    width: int
    height: int
    reorder: int


def nal_type(unit: bytes) -> int:
    """nal_unit_type."""
    return (unit[0] >> 1) & 63


def parse_sps(unit: bytes) -> Sps:
    """Parse an SPS NAL unit. Raises BitstreamError on garbage."""
    raw = unescape(unit)
    if len(raw) < 3 + _PROFILE_TIER_LEVEL_BYTES:
        raise BitstreamError("SPS ends early")
    r = BitReader(raw[2:])
    r.skip(4)
    max_sub_layers_minus1 = r.u(3)
    nested = r.flag()
    r.skip(_PROFILE_TIER_LEVEL_BYTES * 8)
    present = [(r.flag(), r.flag()) for _ in range(max_sub_layers_minus1)]
    if max_sub_layers_minus1:
        r.skip(2 * (8 - max_sub_layers_minus1))
    for profile_present, level_present in present:
        r.skip((88 if profile_present else 0) + (8 if level_present else 0))
    r.ue()
    chroma = r.ue()
    separate_planes = r.flag() if chroma == 3 else False
    width, height = r.ue(), r.ue()
    if r.flag():
        unit_x = 2 if chroma in (1, 2) and not separate_planes else 1
        unit_y = 2 if chroma == 1 and not separate_planes else 1
        left, right, top, bottom = r.ue(), r.ue(), r.ue(), r.ue()
        width -= unit_x * (left + right)
        height -= unit_y * (top + bottom)
    depth_luma, depth_chroma = 8 + r.ue(), 8 + r.ue()
    check_format(chroma, depth_luma, depth_chroma)
    r.ue()
    all_layers = r.flag()
    reorder = 0
    for _ in range(0 if all_layers else max_sub_layers_minus1, max_sub_layers_minus1 + 1):
        r.ue()
        reorder = r.ue()
        r.ue()
    if not (0 < width <= MAX_DIMENSION and 0 < height <= MAX_DIMENSION and reorder <= 16):
        raise BitstreamError(f"impossible picture size {width}x{height}")
    return Sps(
        raw[3 : 3 + _PROFILE_TIER_LEVEL_BYTES],
        max_sub_layers_minus1 + 1,
        nested,
        chroma,
        depth_luma,
        depth_chroma,
        width,
        height,
        reorder,
    )


def track_config(vps_units: list[bytes], sps_units: list[bytes], pps_units: list[bytes]) -> TrackConfig:
    """Track of these parameter sets. Raises BitstreamError when the SPS cannot be parsed."""
    sps = parse_sps(sps_units[0])
    out = bytearray([1])
    out += sps.profile_tier_level
    out += bytes(
        [
            0xF0,
            0x00,  # min_spatial_segmentation_idc: unknown
            0xFC,  # parallelismType: unknown
            0xFC | sps.chroma_format,
            0xF8 | (sps.bit_depth_luma - 8),
            0xF8 | (sps.bit_depth_chroma - 8),
            0x00,
            0x00,  # avgFrameRate: unknown
            (sps.sub_layers << 3) | (int(sps.temporal_id_nested) << 2) | 3,
            3,
        ]
    )
    for kind, units in ((NAL_VPS, vps_units), (NAL_SPS, sps_units), (NAL_PPS, pps_units)):
        out += bytes([0x80 | kind]) + len(units).to_bytes(2, "big")
        for unit in units:
            out += len(unit).to_bytes(2, "big") + unit
    return TrackConfig(
        codec=Codec.H265,
        clock_rate=VIDEO_CLOCK_HZ,
        extradata=bytes(out),
        codec_string=_codec_string(sps.profile_tier_level),
        width=sps.width,
        height=sps.height,
    )


def parameter_sets(extradata: bytes) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """VPS, SPS and PPS NAL units of an HEVCDecoderConfigurationRecord. Raises BitstreamError on garbage."""
    found: dict[int, list[bytes]] = {NAL_VPS: [], NAL_SPS: [], NAL_PPS: []}
    try:
        if extradata[0] != 1:
            raise BitstreamError("not an HEVCDecoderConfigurationRecord")
        at = 23
        for _ in range(extradata[22]):
            kind = extradata[at] & 63
            count = int.from_bytes(extradata[at + 1 : at + 3], "big")
            at += 3
            for _ in range(count):
                size = int.from_bytes(extradata[at : at + 2], "big")
                unit = extradata[at + 2 : at + 2 + size]
                if len(unit) != size or not unit:
                    raise BitstreamError("parameter set ends early")
                found.setdefault(kind, []).append(unit)
                at += 2 + size
    except IndexError as error:
        raise BitstreamError("HEVCDecoderConfigurationRecord ends early") from error
    return found[NAL_VPS], found[NAL_SPS], found[NAL_PPS]


def in_sample(unit: bytes) -> bool:
    """The NAL unit belongs into a sample."""
    return nal_type(unit) not in _NOT_IN_SAMPLE


def is_slice(unit: bytes) -> bool:
    """The NAL unit carries picture data."""
    return nal_type(unit) in _SLICES


def begins_picture(unit: bytes) -> bool:
    """The NAL unit is the first slice of a picture (first_slice_segment_in_pic_flag)."""
    return is_slice(unit) and len(unit) > 2 and unit[2] & 0x80 != 0


def is_irap(unit: bytes) -> bool:
    """The NAL unit starts an intra random access picture (IDR, CRA, BLA)."""
    return nal_type(unit) in _IRAP


def _codec_string(ptl: bytes) -> str:
    space = ("", "A", "B", "C")[ptl[0] >> 6]
    tier = "H" if ptl[0] & 0x20 else "L"
    compatibility = int(f"{int.from_bytes(ptl[1:5], 'big'):032b}"[::-1], 2)
    text = f"hvc1.{space}{ptl[0] & 31}.{compatibility:X}.{tier}{ptl[11]}"
    constraints = ptl[5:11].rstrip(b"\x00")
    return text + "".join(f".{byte:X}" for byte in constraints)
