"""Measures what kernels cost on a board: the tables of `tinyflow.kernels.cost`."""
