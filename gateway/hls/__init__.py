"""Low-latency HLS (draft-pantos-hls-rfc8216bis): cutter, window, playlists, delivery and the routes."""
