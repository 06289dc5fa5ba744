"""Kernels of tinyflow's own that are generated for the shapes at hand, several variants of each."""
