"""RTMP: what players, encoders and other media servers speak with the gateway."""
