"""What each kernel costs on each board: tables, probes, measuring."""
