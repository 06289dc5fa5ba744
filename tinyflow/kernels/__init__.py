"""Kernels: for each operator a C function, its constants and its scratch memory."""
