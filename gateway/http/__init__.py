"""Listeners, TLS and the routing between native media handlers and Flask."""
