# SPDX-License-Identifier: Apache-2.0
"""Chosen kernel: the C to call, its constants in their layout, its scratch bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.operators import Operator, Window
from tinyflow.kernels.name import KernelName

LibraryName = Literal["CMSIS-NN", "tinyflow", "none"]

#: Parameters of generated code that add a step to each output: terms of its work.
PER_OUTPUT = frozenset({"signed", "clamped", "wide", "per_channel"})


@dataclass(frozen=True, eq=False)
class Constant:
    """An array the kernel reads from flash; `suffix` completes its C name."""

    suffix: str
    c_type: str
    values: NDArray[np.generic]
    comment: str

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self.values.nbytes)


@dataclass(frozen=True)
class Source:
    """A C or assembly file that is generated for a variant of a kernel.

    Layers whose kernels name the same file share it, so the name contains every parameter.

    Attributes:
        name: of the function and, with `.S`, of the file in the model's `kernels/`.
        template: under `templates/kernels`.
        parameters: what the template needs: numbers, flags and names of tinyflow's own.
    """

    name: KernelName
    template: str
    parameters: tuple[tuple[str, int | str | bool], ...] = ()

    @property
    def file(self) -> str:
        """Its name in the model's `kernels/`."""
        return f"{self.name}.S"


@dataclass(frozen=True)
class Overlap:
    """Rule for in-place overlap of an output with an input that dies with this operator.

    Attributes:
        field: the operator's field that names the input.
        lead: bytes by which the output must begin before the input, at least; negative if it
            may begin behind the input's start.
        exact: only the same start is allowed, and `lead` is 0.
    """

    field: str
    lead: int = 0
    exact: bool = False


@dataclass(frozen=True)
class RowForm:
    """Row form of a kernel: how it computes one row of its output from rows of its inputs.

    Output row `y` needs of each input the rows `y * stride - pad + k * dilation` for k from 0 to
    `height - 1`. They need not be contiguous in memory; those outside the input are NULL, and the
    kernel applies its padding.

    Rows are computed in order, interleaved with rows of other layers: scratch is not preserved
    between two rows.

    Attributes:
        template: under `templates/model/layers`; renders C statements, without a `return`. Besides
            the kernel's context, constants and scratch it finds in `rows`, by the operator's
            field, the name of an array of pointers to the rows, and in `output` the pointer to
            the output's row. The context has no `output`.
        height: rows of an input that one row of the output needs.
        stride: rows of the input for each row of the output.
        dilation: distance between the rows.
        pad: rows above the input.
        overlaps: where the height is 1, how a row of the output may lie in the memory of a row
            that it reads and that nothing else needs.
        work: of one row, in terms of the kernel's `work`: those of which there is another sum if
            all rows are computed one by one. A call is one of them if it does more than to begin.
    """

    template: str
    height: int = 1
    stride: int = 1
    dilation: int = 1
    pad: int = 0
    overlaps: tuple[Overlap, ...] = ()
    work: Mapping[str, int] = field(default_factory=dict, compare=False)

    @cached_property
    def window(self) -> tuple[int, int, int, int]:
        """Rows that it needs: height, stride, dilation and pad."""
        return self.height, self.stride, self.dilation, self.pad


@dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel chosen for one operator.

    Attributes:
        operator: what it computes.
        function: the C function called.
        library: origin of the function; "none" if no code runs.
        template: the Jinja template of the layer's body under `templates/model/layers`.
        context: what the template needs besides the tensors: numbers only, never a model's text.
        constants: arrays in flash.
        scratch: bytes of arena needed while it runs, aligned to 4.
        macs: multiply-accumulates of one inference.
        aliases_input: the output is the input's memory; no code runs.
        header: for tinyflow's own kernels, the header that declares the function.
        file: its C file without `tinyflow_` and `.c`, where that is not named as the template;
            empty where all of its code is generated.
        needs: further files of `firmware/kernels` that its C needs.
        sources: files that are generated for this variant.
        overlaps: where the output may lie in an input's memory.
        row_form: how it computes one row, None if it cannot.
        row_kernel: the kernel to run instead if the layer runs row by row; None if this one can,
            or no kernel of the operator can.
        name: name of a generated kernel; None for other kernels.
        variant: what distinguishes it from other kernels of the same function, such as "im2col";
            empty if there is only one, and for a generated kernel, whose name includes it.
        work: what its cycles are linear in, by name: iterations of its loops, with "calls" for
            what is paid once; empty where its cost is not predicted.
    """

    operator: Operator
    function: str
    library: LibraryName
    template: str
    context: Mapping[str, Any] = field(default_factory=dict)
    constants: tuple[Constant, ...] = ()
    scratch: int = 0
    macs: int = 0
    aliases_input: bool = False
    header: str = "tinyflow_kernels.h"
    file: str | None = None
    needs: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    row_form: RowForm | None = None
    row_kernel: Kernel | None = None
    name: KernelName | None = None
    variant: str = ""
    work: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_generated(self) -> bool:
        """Whether it is one of tinyflow's generated kernels."""
        return self.name is not None

    @property
    def title(self) -> str:
        """Name in reports: a generated kernel's name, or else the function."""
        return self.function if self.name is None else str(self.name)

    @property
    def by_rows(self) -> Kernel | None:
        """The kernel that runs if the layer runs row by row; None if it cannot."""
        return self.row_kernel if self.row_form is None else self

    @property
    def source(self) -> str | None:
        """The C file in `firmware/kernels` of one of tinyflow's own: named as its template."""
        if self.file == "":
            return None
        return f"tinyflow_{self.file or self.template.rpartition('/')[2].removesuffix('.c.j2')}.c"


def nhwc(tensor: Tensor) -> tuple[int, int, int, int]:
    """A shape as batch, height, width, channels.

    Missing leading dimensions are 1; those beyond four are counted as batch.
    """
    shape = (1,) * (4 - len(tensor.shape)) + tensor.shape
    height, width, channels = shape[-3:]
    return math.prod(shape[:-3]), height, width, channels


def is_image(tensor: Tensor) -> bool:
    """Whether it has up to four dimensions and a batch of 1, and so can be computed row by row."""
    return len(tensor.shape) <= 4 and nhwc(tensor)[0] == 1


def row_elements(tensor: Tensor) -> int:
    """Elements of a row of an image; all elements if it is not an image."""
    return tensor.elements // (nhwc(tensor)[1] if is_image(tensor) else 1)


def images(source: Tensor, output: Tensor) -> dict[str, int]:
    """Return the number of images and their elements, for functions that handle one image."""
    count = nhwc(source)[0]
    return {
        "count": count,
        "input": source.elements // count,
        "output": output.elements // count,
    }


def output_of(graph: Graph, operator: Operator) -> Tensor:
    """Return the operator's only output tensor."""
    (index,) = operator.outputs()
    return graph.tensors[index]


def window_work(
    window: Window, source: Tensor, output: Tensor, kernel: tuple[int, int], depth: int
) -> dict[str, int]:
    """Return the terms that the cycles of a simple loop over windows are linear in.

    Args:
        window: the window; positions in its padding are passed over.
        source: the input.
        output: the output.
        kernel: height and width.
        depth: products at each position, 0 if there is no loop over them.
    """
    size = nhwc(source)[1:3]
    pads, inside = window.pads(size, kernel), output.elements // math.prod(nhwc(output)[1:3])
    for axis in range(2):
        starts = np.arange(nhwc(output)[1 + axis]) * window.stride[axis] - pads[axis]
        positions = starts[:, None] + np.arange(kernel[axis]) * window.dilation[axis]
        inside *= int(np.count_nonzero((positions >= 0) & (positions < size[axis])))
    found = {
        "elements": output.elements,
        "positions": output.elements * math.prod(kernel),
        "inside": inside,
    }
    return found | ({"products": inside * depth} if depth else {})


def bias_constant(graph: Graph, bias: int | None, channels: int) -> Constant:
    """The bias as int32, zeros where the model has none."""
    values = (
        np.zeros(channels, np.int32)
        if bias is None
        else graph.tensors[bias].values.astype(np.int32)
    )
    return Constant("bias", "int32_t", values, f"bias [{channels}]")
