# SPDX-License-Identifier: Apache-2.0
"""Networks that BakeNN's authors timed on an nRF52840, rebuilt from what PyPI carries.

The published figures are medians of 101 calls on an nRF52840-DK at 64 MHz, its instruction cache
on, after 8 calls to warm up: github.com/scienthoon/bakeNN, `benchmarks/tflm_compare/results`. Each
workload here is a quantised graph with the shapes, scales and zero points of its experiment;
`bakenn` compiles it to C with the kernels that were measured, CMSIS-NN 4.0.0 among them. They ran
code of GCC 10.3 and of an earlier BakeNN, under Zephyr.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import bakenn
import numpy as np
import numpy.typing as npt
from bakenn.backend.portable_c import CBackendOptions
from bakenn.ir import (
    Conv2DOp,
    DType,
    Layout,
    LinearOp,
    PerAxisQParams,
    PerTensorQParams,
    QuantizedGraph,
    TensorType,
)

from benchmarks.bakenn_code import CMSIS_NN, DSP, PORTABLE, bake
from tinyflow.boards import Board
from tinyflow.timing.traced_run import FunctionCall, MeasuredCall, call_function

BOARD = "nrf52840"


@dataclass(frozen=True)
class Workload:
    """One timed network.

    Attributes:
        name: of the network and its kernels.
        graph: makes the network.
        options: which of BakeNN's kernels are chosen.
        published_cycles: the published median.
        published_in: the file of BakeNN's repository.
        output: the published output, for an input that is at its zero point everywhere.
    """

    name: str
    graph: Callable[[], QuantizedGraph]
    options: CBackendOptions
    published_cycles: int
    published_in: str
    output: tuple[int, ...]

    def measure(self, board: Board) -> MeasuredCall:
        """Build it, and model one inference after another one.

        Raises:
            ValueError: the output is not the published one.
        """
        graph = self.graph()
        codes = _resting_input(graph).ravel().tolist()
        baked = bake(graph, board, self.options, name=self.name, codes=codes)
        found = call_function(baked.image, board, FunctionCall("infer"), read=["output"], warm=True)
        output = tuple(np.frombuffer(found.memory["output"], np.int8).tolist())
        if output != self.output:
            raise ValueError(f"{self.name}: the output is {output}, not the published one")
        return found


def _resting_input(graph: QuantizedGraph) -> npt.NDArray[np.int8]:
    tensor = graph.values[graph.inputs[0]]
    assert isinstance(tensor.qparams, PerTensorQParams)
    return np.full(tensor.shape, tensor.qparams.zero_point, dtype=np.int8)


def _per_channel(scale: float, count: int) -> PerAxisQParams:
    return PerAxisQParams((scale,) * count, (0,) * count, 0)


def _float32(value: float) -> float:
    return float(np.float32(value))


def _fully_connected() -> QuantizedGraph:
    """A perceptron 32-16-4, one weight scale for each layer, ReLU between the layers."""
    widths = (32, 16, 4)
    incoming = PerTensorQParams(0.03125, -3)
    values = {"input": TensorType((1, 32), DType.INT8, Layout.NC, incoming)}
    constants: dict[str, npt.NDArray[Any]] = {}
    operators: list[Any] = []
    current = "input"
    for layer, (inputs, outputs) in enumerate(pairwise(widths)):
        scale = _float32(0.0078125 * (layer + 1))
        outgoing = PerTensorQParams(_float32(0.046875 * (layer + 1)), layer - 5)
        weight, bias, result = f"weight_{layer}", f"bias_{layer}", f"activation_{layer}"
        ramp = np.arange(inputs * outputs, dtype=np.int32) * (7 + layer) + 3
        constants[weight] = (ramp % 41 - 20).reshape(outputs, inputs).astype(np.int8)
        constants[bias] = np.arange(outputs, dtype=np.int32) * 31 - 79
        values[weight] = TensorType(
            (outputs, inputs), DType.INT8, Layout.OI, _per_channel(scale, outputs)
        )
        values[bias] = TensorType(
            (outputs,),
            DType.INT32,
            Layout.C,
            _per_channel(_float32(incoming.scale * scale), outputs),
        )
        values[result] = TensorType((1, outputs), DType.INT8, Layout.NC, outgoing)
        last = layer == len(widths) - 2
        operators.append(
            LinearOp(
                f"linear_{layer}",
                current,
                weight,
                bias,
                result,
                activation_min=-128 if last else outgoing.zero_point,
                activation_max=127,
            )
        )
        current, incoming = result, outgoing
    return QuantizedGraph("mlp", values, constants, tuple(operators), ("input",), (current,))


def _perceptron() -> QuantizedGraph:
    """A perceptron 32-16-4 that BakeNN quantises, one weight scale for each channel."""
    hidden = (np.arange(16 * 32, dtype=np.float32) % 17.0 - 8.0) / 16.0
    output = (np.arange(4 * 16, dtype=np.float32) % 11.0 - 5.0) / 12.0
    hidden_bias = np.linspace(-0.125, 0.125, 16, dtype=np.float32)
    output_bias = np.asarray([0.0, 0.125, -0.125, 0.0625], dtype=np.float32)
    model = bakenn.FloatMLP(
        (
            bakenn.FloatLinear(hidden.reshape(16, 32), hidden_bias, True, "hidden"),
            bakenn.FloatLinear(output.reshape(4, 16), output_bias, False, "output"),
        ),
        "perceptron",
    )
    slope = np.linspace(-1.0, 1.0, 32, dtype=np.float32)
    samples = np.stack((slope, -slope, np.sin(np.arange(32, dtype=np.float32))))
    return bakenn.quantize_ptq(model, samples)


def _convolution() -> QuantizedGraph:
    """A 3x3 convolution with padding, 1x4x4x1 to 1x4x4x2, with ReLU."""
    incoming, outgoing = PerTensorQParams(0.25, -3), PerTensorQParams(0.5, 1)
    scales = (0.125, 0.25)
    bias_scales = tuple(incoming.scale * scale for scale in scales)
    codes = (np.arange(18, dtype=np.int16) * 5 + 1) % 19 - 9
    values = {
        "input": TensorType((1, 4, 4, 1), DType.INT8, Layout.NHWC, incoming),
        "weight": TensorType(
            (2, 3, 3, 1), DType.INT8, Layout.OHWI, PerAxisQParams(scales, (0, 0), 0)
        ),
        "bias": TensorType((2,), DType.INT32, Layout.C, PerAxisQParams(bias_scales, (0, 0), 0)),
        "output": TensorType((1, 4, 4, 2), DType.INT8, Layout.NHWC, outgoing),
    }
    constants: dict[str, npt.NDArray[Any]] = {
        "weight": codes.reshape(2, 3, 3, 1).astype(np.int8),
        "bias": np.asarray([4, -7], dtype=np.int32),
    }
    operator = Conv2DOp(
        "conv",
        "input",
        "weight",
        "bias",
        "output",
        padding=(1, 1, 1, 1),
        activation_min=outgoing.zero_point,
    )
    return QuantizedGraph("conv", values, constants, (operator,), ("input",), ("output",))


_FC_FILE, _MLP_FILE = "iotlab_447626_direct_cmsis_fc.md", "iotlab_447609.md"
_FC_OUTPUT, _MLP_OUTPUT = (-5, -4, -4, -4), (-8, 10, -15, 3)

WORKLOADS = (
    Workload("fc_cmsis_nn", _fully_connected, CMSIS_NN, 3_786, _FC_FILE, _FC_OUTPUT),
    Workload("fc_portable", _fully_connected, PORTABLE, 8_706, _FC_FILE, _FC_OUTPUT),
    Workload("mlp_portable", _perceptron, PORTABLE, 8_508, _MLP_FILE, _MLP_OUTPUT),
    Workload("mlp_dsp", _perceptron, DSP, 8_872, _MLP_FILE, _MLP_OUTPUT),
    Workload("conv_portable", _convolution, PORTABLE, 24_610, "iotlab_447609_conv.md", (1,) * 32),
)
