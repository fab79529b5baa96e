"""The wall's own transport: every tile of a page over one WebSocket, frame by frame."""
