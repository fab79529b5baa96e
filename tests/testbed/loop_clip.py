"""Encodes one short clip once and cuts it into access units, so that many cameras cost no encoder.

`encode` is called by tests and benchmarks (needs ffmpeg), `access_units` by `gst_camera.py --loop`. Standard library only.
"""

import re
import subprocess
from pathlib import Path

H264_DELIMITER, H265_DELIMITER = 9, 35
START_CODE = re.compile(rb"\x00\x00\x00?\x01")


def encode(
    path: Path,
    *,
    codec: str = "h264",
    width: int = 1280,
    height: int = 720,
    fps: int = 25,
    gop: int = 50,
    bitrate_kbit: int = 2000,
    seconds: int = 8,
) -> Path:
    """Write an Annex B clip whose every access unit begins with a delimiter. Noise keeps the bit rate at what is asked."""
    rate = ["-b:v", f"{bitrate_kbit}k", "-maxrate", f"{bitrate_kbit}k", "-bufsize", f"{bitrate_kbit}k"]
    if codec == "h264":
        coder = ["-c:v", "libx264", "-preset", "veryfast", "-aud", "1", "-sc_threshold", "0", "-profile:v", "main"]
    else:
        coder = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "aud=1:scenecut=0:open-gop=0:log-level=none"]
    subprocess.run(
        [
            "ffmpeg",
            "-y",
            "-v",
            "error",
            "-f",
            "lavfi",
            "-i",
            f"testsrc2=size={width}x{height}:rate={fps},noise=alls=14:allf=t",
            "-t",
            str(seconds),
            *coder,
            "-bf",
            "0",
            "-g",
            str(gop),
            *rate,
            "-pix_fmt",
            "yuv420p",
            "-f",
            "hevc" if codec == "h265" else "h264",
            str(path),
        ],
        check=True,
        timeout=120,
    )
    return path


def access_units(stream: bytes, codec: str) -> list[tuple[bytes, bool]]:
    """Annex B access units without their delimiters, and whether each one is a keyframe."""
    starts = list(START_CODE.finditer(stream))
    ends = [match.start() for match in starts[1:]] + [len(stream)]
    units: list[tuple[bytes, bool]] = []
    for match, end in zip(starts, ends, strict=True):
        nal = stream[match.end() : end]
        kind = nal[0] & 0x1F if codec == "h264" else (nal[0] >> 1) & 0x3F
        if kind == (H264_DELIMITER if codec == "h264" else H265_DELIMITER):
            units.append((b"", False))
            continue
        key = kind == 5 if codec == "h264" else 16 <= kind <= 21
        data, was_key = units[-1]
        units[-1] = (data + b"\x00\x00\x00\x01" + nal, was_key or key)
    return units
