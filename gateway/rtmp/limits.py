"""How long the RTMP server waits, how much it takes, and how often it had to act on it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.rtmp.chunk import ChunkLimits
from gateway.rtmp.publisher import FIRST_MEDIA_S, SILENCE_S
from gateway.rtmp.viewer import ViewerLimits


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Deadlines and bounds of the server."""

    handshake_s: float = 5.0
    action_s: float = 10.0
    """From the handshake, or the end of a play, to the next play."""
    wait_live_s: float = 10.0
    """For a camera that is offline or only now being started. Players give up by themselves after about that long."""
    dead_s: float = 60.0
    """A connected player is kept over an outage of this length."""
    ping_s: float = 30.0
    wrong_key_s: float = 1.0
    """A wrong publish key is answered this much later: with `per_address` it bounds how fast keys can be tried."""
    first_media_s: float = FIRST_MEDIA_S
    """From the acceptance of a publisher to its first media message."""
    silence_s: float = SILENCE_S
    """A publisher that sends no media, or none that can be decoded, is closed after this long."""
    connections: int = 1000
    per_address: int = 600
    """500 players behind one router or proxy."""
    messages: int = 2000
    """In `tick_s` from a client that does not publish. A player says a dozen; each one costs the loop some microseconds."""
    tick_s: float = 1.0
    chunk: ChunkLimits = field(default_factory=ChunkLimits)
    viewer: ViewerLimits = field(default_factory=ViewerLimits)


@dataclass(slots=True)
class Counters:
    """Since the start of the server."""

    accepted: int = 0
    turned_away: int = 0
    """Connections over a limit."""
    refused: int = 0
    """Plays and publishes that were answered with an error."""
    broken: int = 0
    """Connections closed because the peer broke the protocol or said nothing in time."""
    too_slow: int = 0
    """Players closed because they could not keep up."""
    overflows: int = 0
    """Times a player was behind and was moved to a newer picture."""
    dropped: int = 0
    """Writes left out by that."""
