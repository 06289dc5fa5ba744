# SPDX-License-Identifier: Apache-2.0
"""Effect of quantisation on a model, as a section of the report and as warnings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinyflow.arrays import Array
from tinyflow.codegen.c_names import layer_title
from tinyflow.datasets.dataset import Dataset
from tinyflow.ir.graph import Graph, Tensor
from tinyflow.ir.types import DType
from tinyflow.pipeline.fidelity import FAR_DB, Fidelity, TensorFidelity
from tinyflow.pipeline.quantize import Quantised
from tinyflow.report.quality_data import QuantizationSection, TensorQualitySection, WarningSection

#: A tensor is ruined below this SQNR; one that hardly varies (such as the answers of an untrained
#: model) is not, if it points the same way as the float one. Outputs of healthy models have 20 dB
#: and more, inner tensors of deep ones 20 too.
_RUINED_DB, _RUINED_INNER_DB, _SAME = 10.0, 6.0, 0.999
#: Percent of saturated values on the very data that the ranges come from.
_SATURATED = 1.0
#: Percent of test values that may lie outside of the calibrated range, and how many times narrower
#: than that range they may be.
_CLIPPED, _NARROW = 5.0, 32.0
#: A difference of scale that is worth naming.
_SCALES = {255.0: "255", 256.0: "256", 127.5: "127.5", 128.0: "128", 32768.0: "32768"}
_WORST = 3


def describe_quality(
    graph: Graph, quantised: Quantised
) -> tuple[QuantizationSection | None, tuple[WarningSection, ...]]:
    """The section, None if nothing was compared, and what is wrong, if anything."""
    found = quantised.fidelity
    warnings = []
    if quantised.foreign_scale is not None:
        warnings.append(
            WarningSection(
                about="calibration",
                message="the calibration data seems to be on another scale than the training "
                f"data: {quantised.foreign_scale}",
            )
        )
    pruned = quantised.prune
    if (
        pruned is not None
        and pruned.unpruned_cycles is not None
        and (pruned.parameters_after == pruned.parameters_before)
    ):
        warnings.append(
            WarningSection(
                about="pruning",
                message=f"all channels are kept: none of the numbers near {pruned.ratio:.0%} less "
                "is faster on this board. Prune more, or not at all",
            )
        )
    clipped = None
    for what, data in (("calibration", quantised.calibration), ("test", quantised.test)):
        if data is not None:
            clipped, text = _beyond_range(graph, data, what)
            if text is not None:
                warnings.append(WarningSection(about=f"{what} data", message=text))
    if quantised.test is None:
        clipped = None
    if found is None:
        section = None
        if clipped is not None:
            section = QuantizationSection(samples=0, clipped=clipped)
        return section, tuple(warnings)
    text = _ruin(found)
    if text is not None:
        warnings.append(WarningSection(about="quantisation", message=text))
    return _section(found, clipped), tuple(warnings)


def _section(found: Fidelity, clipped: float | None) -> QuantizationSection:
    def shown(tensor: TensorFidelity) -> TensorQualitySection:
        return TensorQualitySection(
            name=layer_title(tensor.name),
            sqnr_db=tensor.sqnr_db,
            cosine=tensor.cosine,
            saturated=100 * tensor.saturated,
            common=100 * tensor.common,
            float_common=100 * tensor.float_common,
        )

    return QuantizationSection(
        samples=found.samples,
        agreement=None if found.agreement is None else 100 * found.agreement,
        clipped=clipped,
        failure=found.failure,
        outputs=tuple(shown(tensor) for tensor in found.tensors if tensor.is_output),
        layers=tuple(shown(tensor) for tensor in found.tensors),
    )


# ---------------------------------------------------------------------------- the model


def _ruin(found: Fidelity) -> str | None:
    """Describe what is wrong with the quantised model; None if it is near the float model."""
    outputs = [tensor for tensor in found.tensors if tensor.is_output]
    ruined = [tensor for tensor in found.tensors if _is_ruined(tensor, _RUINED_DB)]
    if any(tensor.is_output for tensor in ruined) or any(
        _is_ruined(tensor, _RUINED_INNER_DB) for tensor in ruined
    ):
        worst = sorted(ruined, key=lambda tensor: tensor.sqnr_db or 0.0)[:_WORST]
        named = list(dict.fromkeys([ruined[0], *worst]))[:_WORST]
        output = min(outputs, key=lambda tensor: tensor.sqnr_db or 200.0)
        what = "the quantised model does not compute what the float model does"
        if not any(tensor.is_output for tensor in ruined):
            what = "layers of the quantised model do not compute what the float model's do"
        return (
            f"{what}: {_noise(output)} at "
            f"the output. It begins at {'; then '.join(map(_words, named))}. Scale the values "
            "there in training so that the channels of a tensor are alike, leave such layers out "
            'of the model, or quantise with activations = "int16"'
        )
    saturated = [tensor for tensor in found.tensors if 100 * tensor.saturated > _SATURATED]
    if saturated:
        worst = sorted(saturated, key=lambda tensor: -tensor.saturated)[:_WORST]
        return "values are cut off at the ends of the integers' range: " + "; ".join(
            map(_words, worst)
        )
    return None


def _is_ruined(tensor: TensorFidelity, limit: float) -> bool:
    return tensor.sqnr_db is not None and tensor.sqnr_db < limit and tensor.cosine < _SAME


def _noise(tensor: TensorFidelity) -> str:
    if tensor.sqnr_db is None:
        return "a constant"
    share = 10 ** (-tensor.sqnr_db / 20)
    return f"an error of {share:.0%} of the signal ({tensor.sqnr_db:.1f} dB)" if share < 1 else (
        f"more error than signal ({tensor.sqnr_db:.1f} dB)"
    )  # fmt: skip


def _words(tensor: TensorFidelity) -> str:
    reasons = []
    if tensor.common > tensor.float_common + 0.3:
        reasons.append(f"{tensor.common:.1%} of its values are one number")
    if 100 * tensor.saturated > _SATURATED:
        reasons.append(f"{tensor.saturated:.1%} saturated")
    because = f", {', '.join(reasons)}" if reasons else ""
    ratio = "constant" if tensor.sqnr_db is None else f"{tensor.sqnr_db:.1f} dB"
    if tensor.sqnr_db == FAR_DB:
        ratio = "infinite values"
    return f"{layer_title(tensor.name)!r} ({ratio}{because})"


# ----------------------------------------------------------------------------- the data


def _beyond_range(graph: Graph, data: Dataset, what: str) -> tuple[float | None, str | None]:
    """Percent of real input values outside of the inputs' ranges, and what is odd about them."""
    outside = count = 0
    text = None
    for tensor, values in zip(graph.input_tensors(), data.inputs, strict=True):
        if tensor.dtype is DType.FLOAT32 or values.dtype.kind != "f" or not tensor.quantization:
            continue
        low, high, step = _range(tensor)
        beyond = int(((values < low - step) | (values > high + step)).sum())
        outside, count = outside + beyond, count + values.size
        text = text or _scale_words(tensor, values, low, high, 100 * beyond / values.size, what)
    return (100 * outside / count if count else None), text


def _range(tensor: Tensor) -> tuple[float, float, float]:
    """The least and the greatest value that a tensor holds, and a step."""
    limits, q = np.iinfo(tensor.dtype.value), tensor.q
    low, high = ((int(limit) - q.zero_point) * q.scale for limit in (limits.min, limits.max))
    return low, high, q.scale


def _scale_words(
    tensor: Tensor, values: Array, low: float, high: float, clipped: float, what: str
) -> str | None:
    least, greatest = float(values.min()), float(values.max())
    factor = (greatest - least) / (high - low)
    if clipped <= _CLIPPED and factor >= 1 / _NARROW:
        return None
    name = layer_title(tensor.name)
    text = (
        f"the {what} data is on another scale than the input {name!r} was quantised for: it "
        f"reaches from {least:.4g} to {greatest:.4g}, the input from {low:.4g} to {high:.4g}"
    )
    if clipped > _CLIPPED:
        text += f"; {clipped:.1f} % of its values are cut off"
    likely = _likely(factor) or _likely(1 / factor if factor else 0.0)
    if likely is not None:
        text += f". Is one of them divided by {likely}?"
    return text


def _likely(factor: float) -> str | None:
    near: Sequence[float] = [scale for scale in _SCALES if abs(factor / scale - 1) < 0.25]
    return _SCALES[min(near, key=lambda scale: abs(factor / scale - 1))] if near else None
