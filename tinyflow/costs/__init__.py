# SPDX-License-Identifier: Apache-2.0
"""Cost of each kernel on each board: tables, probes, measuring."""
