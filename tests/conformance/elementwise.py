"""Cases of the elementwise operators."""

from __future__ import annotations

from tests.conformance.driver import Case

CASES: dict[str, Case] = {}
