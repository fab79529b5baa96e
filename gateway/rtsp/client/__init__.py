"""Our own RTSP client: sessions with cameras, and their RTP back to access units.

Everything here is pure (bytes, messages and clocks in, values out). `sources/own_session.py` holds the sockets.
"""
