"""Kernels that tinyflow generates for a layer's shapes, several variants of each."""
