"""Keeps glibc from holding on to memory: few arenas, and what is free goes back to the system now and then.

Measured with 16 streams of 1080p: 99 MB with glibc's default of 8 arenas per core, 53 MB with two. After cameras or viewers
have come and gone, trimming gave back 17 of 187 MB. `configure` is called once before any thread starts, `give_back` by the
loop.

And keeps Python from looking for garbage among the modules: a fifth of the CPU of 16 cameras without viewers went there.
"""

from __future__ import annotations

import ctypes
import gc

M_ARENA_MAX = -8
"""mallopt(3)."""
ARENAS = 2


M_MMAP_THRESHOLD = -3
M_TRIM_THRESHOLD = -1
MMAP_BYTES = 128 * 1024
"""glibc's own start value. Setting it keeps glibc from raising it up to 32 MB: keyframes and parts of large pictures then
live on their own pages and leave no holes in the heap."""
TRIM_BYTES = 256 * 1024


def freeze() -> None:
    """Take all there is now for what stays for ever. To be called before anything is made that can end, such as a camera."""
    gc.collect()
    gc.freeze()


def configure() -> bool:
    """Set malloc up; False where the C library is another one (musl needs none of this)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    settings = ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, MMAP_BYTES), (M_TRIM_THRESHOLD, TRIM_BYTES))
    return all(mallopt(name, value) for name, value in settings)


def give_back() -> None:
    """Return free heap to the system; about a millisecond per 100 MB."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        pass  # another C library: nothing to trim
