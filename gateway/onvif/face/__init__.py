"""An ONVIF device as its clients see it: the gateway towards NVRs, and the simulator's cameras towards us.

Documents, services and the judgement of logins are pure; `discovery` holds the one socket. HTTP belongs to whoever owns
the device.
"""
