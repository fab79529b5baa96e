"""Our own RTSP server: the face of the simulated cameras, and a way to read the gateway's streams over RTSP.

Protocol modules are pure (bytes and values in, bytes and values out). `server`, `connection`, `interleaved` and `udp` hold
the sockets.
"""
