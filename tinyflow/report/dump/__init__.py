# SPDX-License-Identifier: Apache-2.0
"""What `--dump` writes: graphs, the choice of kernels and the memory plan, as text and as data."""
