"""Tracks, frames, timestamps and containers. Knows no protocol; every protocol knows it."""
