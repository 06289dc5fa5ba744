# SPDX-License-Identifier: Apache-2.0
"""The grammar of kernels' names: one string in files, symbols, reports, cost tables and tests.

    tinyflow_OPERATOR_TYPES[_SIZE][_WORD...]_ISA
    tinyflow_conv_pointwise_s8_2x4x32_packed_once_dsp

OPERATOR is what is computed, by which algorithm where there are several. TYPES are those of input
and output, one if they are the same. SIZE is MRxNRxK of a microkernel: output channels, pixels or
rows, and inputs for each turn of its loop; of other kernels, height x width of the window. The
words say in which variant: how weights are packed, what is unrolled or copied, and at last what
depends on the layer's numbers (`signed`, `clamp_m128_6`). ISA is the instruction set.

After XNNPACK's names of microkernels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

PREFIX = "tinyflow"

#: C for any core; Armv6-M; the DSP extension; that in an order for the Cortex-M7's two pipelines.
Isa = Literal["c", "m0", "dsp", "m7"]

_TYPE = r"(?:s4|s8|s16|s32|f32)"
_NAME = re.compile(
    rf"{PREFIX}_(?P<operator>[a-z]\w*?)_(?P<types>{_TYPE}(?:_{_TYPE})*)"
    rf"(?:_(?P<size>\d+(?:x\d+)+))?(?P<words>(?:_[a-z0-9]+)*)_(?P<isa>{'|'.join(get_args(Isa))})"
)
_WORD = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True)
class KernelName:
    """A generated kernel's or function's name; the module's docstring has the grammar.

    Attributes:
        operator: lower-case words joined by `_`.
        types: such as `s8`, or `s8_s16` from int8 to int16.
        isa: the instruction set.
        size: MR, NR and K, or height and width; empty if the code is of no size.
        words: what distinguishes variants.
    """

    operator: str
    types: str
    isa: Isa
    size: tuple[int, ...] = ()
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.size) == 1 or not all(map(_WORD.fullmatch, self.words)):
            raise ValueError(f"{self} is not in the grammar of kernels' names")

    def __str__(self) -> str:
        size = ["x".join(map(str, self.size))] if self.size else []
        return "_".join([PREFIX, self.operator, self.types, *size, *self.words, self.isa])

    @property
    def family(self) -> str:
        """What all variants of a kernel have in common: its name of no size and no words."""
        return str(replace(self, size=(), words=()))

    def plus(self, *words: str) -> KernelName:
        """The name with more words."""
        return replace(self, words=(*self.words, *words))

    @classmethod
    def parse(cls, text: str) -> KernelName | None:
        """The name in a string; None if it is not in the grammar."""
        found = _NAME.fullmatch(text)
        if found is None:
            return None
        size = tuple(map(int, found["size"].split("x"))) if found["size"] else ()
        words = tuple(found["words"].split("_")[1:])
        return cls(found["operator"], found["types"], cast(Isa, found["isa"]), size, words)


def clamp_words(low: int, high: int) -> tuple[str, ...]:
    """Words for an int8 output's limits; none if these are the type's."""
    if (low, high) == (-128, 127):
        return ()
    return ("clamp", *(f"{limit}".replace("-", "m") for limit in (low, high)))
