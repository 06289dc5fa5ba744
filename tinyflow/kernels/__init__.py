# SPDX-License-Identifier: Apache-2.0
"""Kernels: for each operator a C function, its constants and its scratch memory."""
