# SPDX-License-Identifier: Apache-2.0
"""Kernels that tinyflow generates for a layer's shapes, several variants of each."""
