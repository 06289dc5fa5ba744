"""The plan and the board, written out as a PlatformIO project."""
