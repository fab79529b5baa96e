"""Virtual cameras: ONVIF, RTSP and a test picture, to try the gateway before buying cameras, and to test it with."""
