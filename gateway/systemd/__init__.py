"""What the gateway says to systemd and its journal. Without systemd nothing here does anything."""
