# SPDX-License-Identifier: Apache-2.0
"""Toolchain: from a project on disk to an ELF, its sizes and the board (PlatformIO and an ELF
reader).
"""
