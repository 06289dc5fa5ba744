# SPDX-License-Identifier: Apache-2.0
"""Every generated kernel's row form, compared with the oracle on one operator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jinja2 import ChoiceLoader, DictLoader

from tinyflow.boards import Board
from tinyflow.costs.trial import Trial
from tinyflow.kernels.base import Kernel, nhwc, output_of
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.kernels.generated.registry import generated_kernels
from tinyflow.oracle.oracle import Oracle
from tinyflow.render import environment
from tinyflow.tflite.importer import import_model

_TEMPLATE = "row_by_row_of_a_test"
_ROW_BY_ROW = """\
{% set rows = {} %}
    for (int y = 0; y < {{ due }}; ++y) {
{% for source in sources %}
        const int8_t *lines_{{ source.field }}[{{ form.height }}];
        for (int k = 0; k < {{ form.height }}; ++k) {
            const int row = y * {{ form.stride }} - {{ form.pad }} + k * {{ form.dilation }};
            const int8_t *line = {{ tensor[source.field] }} + row * {{ source.bytes }};
            lines_{{ source.field }}[k] = row < 0 || row >= {{ source.rows }} ? NULL : line;
        }
{% set _ = rows.update({source.field: "lines_" ~ source.field}) %}
{% endfor %}
        int8_t *due_row = {{ tensor.output }} + y * {{ due_bytes }};
{% set output = "due_row" %}
{% include "model/layers/" ~ form.template %}
    }
    return 0;
"""


def check_rows(
    content: bytes, board: Board, monkeypatch: pytest.MonkeyPatch, without: str | None = None
) -> list[Kernel]:
    """Run a model of one operator with each of its generated kernels that has a row form, row by
    row.

    Args:
        content: a `.tflite` with one operator.
        board: where it runs.
        monkeypatch: takes the test's template away again.
        without: what the names of variants that are not tried have in them.

    Returns:
        The kernels that were tried.

    Raises:
        AssertionError: a byte differs from the oracle's; names the variant.
    """
    loader = environment().loader
    assert loader is not None
    mine = DictLoader({f"model/layers/{_TEMPLATE}": _ROW_BY_ROW})
    monkeypatch.setattr(environment(), "loader", ChoiceLoader([mine, loader]))
    graph = import_model(content, Path("operator.tflite"), name="net")
    (operator,) = graph.operators
    rng = np.random.default_rng(0)
    sample = [
        rng.integers(-128, 128, tensor.shape).astype(np.int8) for tensor in graph.input_tensors()
    ]
    (expected,) = Oracle(content).run(*sample)
    fields = {field: index for field in operator.input_fields for index in operator.tensors(field)}
    sources = [
        {"field": field, "rows": nhwc(tensor)[1], "bytes": tensor.elements // nhwc(tensor)[1]}
        for field, tensor in ((field, graph.tensors[index]) for field, index in fields.items())
        if not tensor.is_constant
    ]
    output = output_of(graph, operator)
    tried = []
    for kernel in generated_kernels(operator, graph, board):
        if kernel.row_form is None or (without is not None and without in kernel.title):
            continue
        rows = nhwc(output)[1]
        context = {"form": kernel.row_form, "sources": sources, "due": rows}
        context |= {**kernel.context, "due_bytes": output.elements // rows}
        alone = replace(
            kernel, context=context, template=_TEMPLATE, overlaps=(), file=_file_of(kernel)
        )
        (found,) = Trial(graph, [alone], board, find_cmsis_nn()).run(*sample)
        np.testing.assert_array_equal(found, expected, err_msg=kernel.title)
        tried.append(kernel)
    return tried


def _file_of(kernel: Kernel) -> str:
    """Its C file, which the template no longer names."""
    return (kernel.source or "").removeprefix("tinyflow_").removesuffix(".c")
