# SPDX-License-Identifier: Apache-2.0
"""Choice of a kernel for each operator, by cost and memory, within limits."""
