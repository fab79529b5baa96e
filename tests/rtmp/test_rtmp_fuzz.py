"""A short share of the fuzzing in `fuzz_session.py`; GATEWAY_RTMP_FUZZ_BYTES makes it longer."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

SHORT_BYTES = 300_000


def test_mutated_conversations_find_no_defect():
    spec = importlib.util.spec_from_file_location("fuzz_session", Path(__file__).with_name("fuzz_session.py"))
    assert spec is not None and spec.loader is not None
    fuzz = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fuzz)
    total = int(os.environ.get("GATEWAY_RTMP_FUZZ_BYTES", SHORT_BYTES))
    _, fed, came = fuzz.mutations(total, seed=int.from_bytes(os.urandom(4), "big") if total > SHORT_BYTES else 1)
    assert fed >= total
    # every layer was reached, else the mutations are too wild to find anything
    for layer in ("Connect", "Play", "Publish", "Media", "frame", "ChunkError", "AmfError", "SessionError", "HandshakeError"):
        assert came[layer], layer
