"""Which kernels may serve an operator."""

from __future__ import annotations

from tinyflow.kernels.base import Kernel
from tinyflow.kernels.candidates import Candidates
from tinyflow.project import KernelSet


def allowed(found: Candidates, kernels: KernelSet) -> tuple[Kernel, ...]:
    """The candidates that may serve: never none, whatever is asked for."""
    if kernels == "cmsis-nn" and found.library is not None:
        return (found.library,)
    if kernels == "native" and found.native:
        return found.native
    return found.kernels
