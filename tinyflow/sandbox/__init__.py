# SPDX-License-Identifier: Apache-2.0
"""Confinement of a process that reads a stranger's file."""
