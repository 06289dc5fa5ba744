# SPDX-License-Identifier: Apache-2.0
"""Conformance: every operator and attribute, byte for byte with the oracle, in real images."""
