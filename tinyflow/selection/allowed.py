# SPDX-License-Identifier: Apache-2.0
"""Kernels that the choice for an operator is made from."""

from __future__ import annotations

from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.settings.project_file import KernelSet


def allowed(found: Candidates, kernels: KernelSet) -> tuple[Kernel, ...]:
    """Candidates allowed by `kernels`; never empty."""
    if kernels == "cmsis-nn" and found.library is not None:
        return (found.library,)
    if kernels == "generated" and found.generated:
        return found.generated
    return found.kernels
