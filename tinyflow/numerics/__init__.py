# SPDX-License-Identifier: Apache-2.0
"""The reference kernels' arithmetic in Python: fixed point, multipliers, tables."""
