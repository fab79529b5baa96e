"""The gateway about itself: how the box does, what has happened, who is told. `room.Health` puts it together."""
