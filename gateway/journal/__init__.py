"""What has happened: incidents, from the first bad second to the last, told once, kept over restarts and power cuts.

`trouble` and `conditions` are pure state machines, `store` is a thin file, `journal` brings them together on the event loop.
"""
