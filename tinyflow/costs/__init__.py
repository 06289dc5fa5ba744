"""Cost of each kernel on each board: tables, probes, measuring."""
