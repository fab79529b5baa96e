"""What recorders (NVRs) and RTSP players get: the streams over RTSP, and one ONVIF device that names them."""
