"""Camera Gateway: pulls each IP camera of a LAN once and gives its picture to everyone who may see it."""

__version__ = "0.1.0"
