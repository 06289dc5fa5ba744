# SPDX-License-Identifier: Apache-2.0
"""The two forms of functions that make kernels; the registries list them by operator."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tinyflow.boards import Board
from tinyflow.ir.graph import Graph
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN

#: Makes the kernel of an operator, or None if it is not legal or not available.
Maker = Callable[[Any, Graph, Board, CmsisNN], Kernel | None]
#: Makes all variants of a kernel that are legal for an operator on a board; may be empty.
VariantMaker = Callable[[Any, Graph, Board], Iterator[Kernel]]
