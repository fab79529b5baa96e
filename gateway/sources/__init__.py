"""Where pictures come from: RTSP readers, their retries and their states."""
