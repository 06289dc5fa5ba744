"""The reference kernels' arithmetic in Python: fixed point, multipliers, tables."""
