"""Conformance: every operator and attribute, byte for byte with the oracle, in real images."""
