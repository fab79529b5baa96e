"""Finding cameras on the LAN and asking them, over ONVIF, for their streams. Importing this loads no zeep."""
