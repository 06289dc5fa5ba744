"""Tools for a finished build: run, profile, bisect, calibrate, check."""
