# SPDX-License-Identifier: Apache-2.0
"""The plan and the board, written out as a PlatformIO project."""
