# SPDX-License-Identifier: Apache-2.0
"""Tools for a finished build: run, profile, bisect, calibrate, check."""
