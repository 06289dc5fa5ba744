# SPDX-License-Identifier: Apache-2.0
"""Cases of the tables operators."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

Quantized = tuple[float, int]

#: The one output quantisation that the reference computes for.
LOGISTIC, TANH = (1 / 256, -128), (1 / 128, 0)
LOG_SOFTMAX, L2_NORMALIZATION = (1 / 16, 127), (1 / 128, 0)
SOFTMAX = (1 / 256, -128)


def unary(
    kind: str,
    shape: Sequence[int],
    source: Quantized | None = None,
    output: Quantized | None = None,
    **options: Any,
) -> Case:
    """A case of one input and one output; what is not given is drawn."""

    def drawn(rng: np.random.Generator) -> Quantized:
        return float(np.exp2(rng.uniform(-8, -2))), int(rng.integers(-128, 128))

    def case(builder: TfliteBuilder, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        index = builder.tensor(shape, "int8", *(source or drawn(rng)))
        result = builder.tensor(shape, "int8", *(output or drawn(rng)))
        builder.operator(kind, [index], [result], **options)
        return [index], [result]

    return case


CASES: dict[str, Case] = {
    "logistic": unary("LOGISTIC", (1, 17, 5), (0.05, 3), LOGISTIC),
    "logistic_scalar_like": unary("LOGISTIC", (1,), None, LOGISTIC),
    "logistic_saturating": unary("LOGISTIC", (1, 64), (20.0, -128), LOGISTIC),
    "logistic_underflow": unary("LOGISTIC", (1, 64), (1e-7, 127), LOGISTIC),
    "tanh": unary("TANH", (1, 3, 5, 7), (0.03, -7), TANH),
    "tanh_rank_5": unary("TANH", (1, 2, 3, 2, 5), None, TANH),
    "tanh_saturating": unary("TANH", (1, 64), (17.0, 127), TANH),
    "hard_swish": unary("HARD_SWISH", (1, 5, 5, 3), (0.047, -128), (0.031, -116)),
    "hard_swish_drawn": unary("HARD_SWISH", (1, 41)),
    "hard_swish_wide": unary("HARD_SWISH", (1, 100), (0.9, 10), (0.5, -128)),
    "hard_swish_narrow": unary("HARD_SWISH", (1, 100), (1e-4, 0), (1e-3, 127)),
    "relu": unary("RELU", (1, 4, 9, 2), (0.05, -3), (0.03, -128)),
    "relu_same": unary("RELU", (7,), (0.05, 0), (0.05, 0)),
    "relu_saturating": unary("RELU", (1, 50), (1.0, -128), (1e-3, 127)),
    "relu_underflow": unary("RELU", (1, 50), (1e-9, 5), (10.0, -20)),
    "relu6": unary("RELU6", (1, 4, 9, 2), (0.05, -3), (6 / 255, -128)),
    "relu6_same": unary("RELU6", (1, 77), (0.047, -128), (0.047, -128)),
    "relu6_fine": unary("RELU6", (1, 77), (0.01, 0)),
    "relu6_coarse": unary("RELU6", (1, 77), (100.0, 127)),
    "relu_n1_to_1": unary("RELU_N1_TO_1", (1, 4, 9, 2), (0.02, -3), (0.01, 5)),
    "relu_n1_to_1_same": unary("RELU_N1_TO_1", (1, 77), (0.047, -128), (0.047, -128)),
    "relu_n1_to_1_fine": unary("RELU_N1_TO_1", (1, 77), (0.003, 127), (0.002, 127)),
    "relu_n1_to_1_coarse": unary("RELU_N1_TO_1", (1, 77), (100.0, 0), (3.0, -7)),
    "leaky_relu": unary("LEAKY_RELU", (1, 6, 6, 3), (0.04, 12), (0.03, -60), alpha=0.3),
    "leaky_relu_negative": unary("LEAKY_RELU", (1, 60), alpha=-0.5),
    "leaky_relu_steep": unary("LEAKY_RELU", (1, 60), alpha=1.5),
    "leaky_relu_zero": unary("LEAKY_RELU", (1, 60), alpha=0.0),
    "abs": unary("ABS", (1, 9, 7), (0.05, 4), (0.03, -128)),
    "abs_same": unary("ABS", (1, 60), (0.05, 127), (0.05, -128)),
    "abs_drawn": unary("ABS", (60,)),
    "elu": unary("ELU", (1, 5, 5, 4), (0.04, 12), (0.03, -90)),
    "elu_drawn": unary("ELU", (1, 60)),
    "elu_saturating": unary("ELU", (1, 60), (5.0, 127), (1e-3, 0)),
    "rsqrt": unary("RSQRT", (1, 60), (0.02, -128), (0.03, -128)),
    "rsqrt_drawn": unary("RSQRT", (1, 4, 1, 5), (1.5, -128)),
    "softmax": unary("SOFTMAX", (3, 17), (0.07, 30), SOFTMAX, beta=1.0),
    "softmax_steep": unary("SOFTMAX", (1, 5), (1.9, 30), SOFTMAX, beta=2.0),
    "softmax_flat": unary("SOFTMAX", (2, 3, 10), (0.0004, 30), SOFTMAX, beta=1.0),
    "softmax_of_one": unary("SOFTMAX", (7, 1), (0.1, -128), SOFTMAX, beta=1.0),
    "softmax_long": unary("SOFTMAX", (1, 511), (0.02, 127), SOFTMAX, beta=1.0),
    "softmax_classes": unary("SOFTMAX", (1, 1000), (0.05, 12), SOFTMAX, beta=1.0),
    "softmax_rank_1": unary("SOFTMAX", (12,), (0.1, 0), SOFTMAX, beta=0.5),
    "log_softmax": unary("LOG_SOFTMAX", (1, 10), (0.1, 5), LOG_SOFTMAX),
    "log_softmax_rows": unary("LOG_SOFTMAX", (2, 3, 4, 7), None, LOG_SOFTMAX),
    "log_softmax_of_one": unary("LOG_SOFTMAX", (5, 1), None, LOG_SOFTMAX),
    "log_softmax_long": unary("LOG_SOFTMAX", (1, 4095), (1e-3, 127), LOG_SOFTMAX),
    "log_softmax_rank_1": unary("LOG_SOFTMAX", (33,), (0.3, -128), LOG_SOFTMAX),
    "log_softmax_coarse": unary("LOG_SOFTMAX", (4, 9), (40.0, 0), LOG_SOFTMAX),
    "log_softmax_fine": unary("LOG_SOFTMAX", (4, 9), (1e-6, 0), LOG_SOFTMAX),
    "l2_normalization": unary("L2_NORMALIZATION", (1, 30), (0.1, 5), L2_NORMALIZATION),
    "l2_normalization_rows": unary("L2_NORMALIZATION", (2, 3, 4, 7), None, L2_NORMALIZATION),
    "l2_normalization_of_one": unary("L2_NORMALIZATION", (40, 1), (0.1, 0), L2_NORMALIZATION),
    "l2_normalization_of_two": unary("L2_NORMALIZATION", (40, 2), (0.1, 127), L2_NORMALIZATION),
    "l2_normalization_long": unary("L2_NORMALIZATION", (1, 8000), (2.0, -128), L2_NORMALIZATION),
}
