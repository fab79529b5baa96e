"""Measurements as Prometheus reads them. Knows nothing of cameras; every room may use its histogram."""
