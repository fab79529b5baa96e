"""The camera's own JPEG: a picture of this moment, in JPEG's colour range."""

from __future__ import annotations

import io
import time

import av

from gateway.simulator.clock_code import age_ms, read_clock
from gateway.simulator.snapshot import Photographer


def test_shows_the_present_time_and_true_black():
    jpeg = Photographer(320, 180, "Yard", 0.3).take()
    assert jpeg.startswith(b"\xff\xd8")
    with av.open(io.BytesIO(jpeg)) as container:
        picture = next(container.decode(video=0))
    luma = memoryview(picture.planes[0])
    read = read_clock(luma, 320, 180, picture.planes[0].line_size)
    assert read is not None
    assert 0 <= age_ms(read, int(time.time() * 1000)) < 5000
    assert min(luma) < 8
    assert max(luma) > 245
