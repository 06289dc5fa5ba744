"""What is done with a finished build: run, profile, bisect, calibrate, check."""
