# SPDX-License-Identifier: Apache-2.0
"""Kernels' names: their grammar, and that files, symbols and cost tables have the same strings."""

from __future__ import annotations

import re

import pytest

from tinyflow.boards import board_ids, load_board
from tinyflow.costs.measure import kernel_shapes
from tinyflow.costs.probes import MEASURED
from tinyflow.costs.table import COSTS, read_costs
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.name import KernelName, clamp_words
from tinyflow.render import render


def kernels(board: str) -> list[Kernel]:
    shapes = kernel_shapes(MEASURED, load_board(board), find_cmsis_nn(None))
    return [shape.kernel for all_ in shapes.values() for some in all_.values() for shape in some]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            KernelName("conv_pointwise", "s8", "dsp", (2, 4, 32), ("packed", "once")),
            "tinyflow_conv_pointwise_s8_2x4x32_packed_once_dsp",
        ),
        (
            KernelName("depthwise_im2col", "s8_s16", "m7", words=("lines8",)),
            "tinyflow_depthwise_im2col_s8_s16_lines8_m7",
        ),
        (KernelName("softmax", "s8", "c"), "tinyflow_softmax_s8_c"),
        (KernelName("mul", "s8", "dsp", (), ("m7",)), "tinyflow_mul_s8_m7_dsp"),
    ],
)
def test_a_name_is_written_and_parsed(name: KernelName, text: str) -> None:
    assert str(name) == text
    assert KernelName.parse(text) == name


@pytest.mark.parametrize(
    "text", ["tinyflow_add_s8", "arm_softmax_s8_c", "tinyflow_s8_c", "tinyflow_conv_s8_packed_"]
)
def test_other_functions_are_not_in_the_grammar(text: str) -> None:
    assert KernelName.parse(text) is None


@pytest.mark.parametrize("words", [("two words",), ("-128",), ("",)])
def test_a_word_is_letters_and_digits(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="grammar"):
        KernelName("conv", "s8", "dsp", words=words)


def test_a_family_is_no_portable_function() -> None:
    name = KernelName("add", "s8", "dsp", words=("lut",))
    assert name.family == name.plus("signed").family == "tinyflow_add_s8_dsp"


def test_limits_are_words() -> None:
    assert clamp_words(-128, 127) == ()
    assert KernelName("a", "s8", "c").plus(*clamp_words(-128, 6)).words == ("clamp", "m128", "6")


@pytest.mark.parametrize("board", board_ids())
def test_files_symbols_and_cost_tables_have_the_same_names(board: str) -> None:
    costs = read_costs(COSTS / f"{board}.json")
    assert costs is not None
    seen: dict[str, str] = {}
    for kernel in kernels(board):
        if kernel.name is None:
            continue
        assert kernel.title == str(kernel.name)
        assert kernel.title in costs.kernels and kernel.name.family in costs.families
        assert KernelName.parse(kernel.title) == kernel.name
        for source in kernel.sources:
            assert KernelName.parse(str(source.name)) == source.name
            # The name has every parameter that changes the code.
            text = seen.get(source.file)
            if text is None:
                parameters = dict(source.parameters)
                text = render(f"kernels/{source.template}", file=source.file, **parameters)
                seen[source.file] = text
                assert re.search(rf"^{source.name}:$", text, re.MULTILINE), source.file
    assert seen
