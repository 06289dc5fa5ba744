"""Latency: cycles and milliseconds from exact instruction counts."""
