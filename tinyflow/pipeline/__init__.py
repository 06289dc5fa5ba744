"""A build: its request, its stages in order, its output folder."""
