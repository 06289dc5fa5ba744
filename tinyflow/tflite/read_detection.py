# SPDX-License-Identifier: Apache-2.0
"""Reader of object detectors' post-processing in a .tflite, and the limits of what is accepted."""

from __future__ import annotations

import math

import numpy as np

from tinyflow.errors import InputError
from tinyflow.ir.detection import DetectionPostProcess
from tinyflow.ir.operators import Operator
from tinyflow.ir.types import DType
from tinyflow.tflite.custom_options import DamagedOptionsError, Scalar, read_options
from tinyflow.tflite.operator_reader import OperatorReader, Read

#: Operators here that write several tensors.
SEVERAL_OUTPUTS = frozenset({"TFLite_Detection_PostProcess"})
#: TFLM's default (`kNumDetectionsPerClass`).
_DETECTIONS_PER_CLASS = 100
#: Boxes are numbered in 16 bits.
_MOST_BOXES = 1 << 16


def _detection(at: OperatorReader) -> Operator:
    options = _options(at)
    boxes, scores, anchors = at.operands(3)
    results = at.results(4)
    for index in (boxes, scores, anchors, *results):
        tensor = at.tensors[index]
        if tensor.dtype is not DType.FLOAT32:
            raise at.refuse(
                f"tensor {tensor.name!r} is {tensor.dtype.value}, TFLM takes float32",
                "Put a DEQUANTIZE before it.",
            )
        if index != anchors:
            at.computed(index)
    if not at.tensors[anchors].is_constant:
        raise at.refuse(f"the anchors {at.tensors[anchors].name!r} are computed")
    most, classes = options.integer("max_detections"), options.integer("num_classes")
    if most < 1 or classes < 1:
        raise at.refuse(f"max_detections is {most}, num_classes {classes}")
    if at.tensors[boxes].elements // 4 >= _MOST_BOXES:
        raise at.refuse(f"{at.tensors[boxes].elements // 4} boxes, fewer than {_MOST_BOXES}")
    regular = bool(options.integer("use_regular_nms"))
    per_class = options.integer("detections_per_class", _DETECTIONS_PER_CLASS)
    if regular and per_class < 1:
        raise at.refuse(f"detections_per_class is {per_class}")
    per_box = options.integer("max_classes_per_detection")
    if not regular and min(per_box, classes) != 1:
        raise at.refuse(
            f"max_classes_per_detection is {per_box}: with more than one class a detection TFLM "
            "writes beyond its outputs",
            "Export the model with max_classes_per_detection = 1, or with use_regular_nms.",
        )
    overlap = options.real("nms_iou_threshold")
    if not 0 < overlap <= 1:
        raise at.refuse(f"nms_iou_threshold is {overlap}, expected more than 0 and at most 1")
    least = options.real("nms_score_threshold")
    scales = tuple(options.real(f"{name}_scale") for name in "yxhw")
    if not math.isfinite(least) or not all(math.isfinite(value) and value for value in scales):
        raise at.refuse("a threshold or a scale is no number, or a scale is 0")
    return DetectionPostProcess(
        at.name,
        *(boxes, scores, anchors),
        (results[0], results[1], results[2], results[3]),
        most,
        classes,
        per_class if regular else None,
        least,
        overlap,
        (scales[0], scales[1], scales[2], scales[3]),
    )


class _Options:
    """Options that are read by name, as TFLM's kernel does; it finds sorted names only."""

    def __init__(self, at: OperatorReader, found: dict[str, Scalar]) -> None:
        self._at = at
        self._found = found

    def integer(self, name: str, default: int = 0) -> int:
        value = self._number(name)
        if value is None:
            return default
        if value != int(value) or not -(2**31) <= value < 2**31:
            raise self._at.refuse(f"{name} is {value}, expected an integer of 32 bits")
        return int(value)

    def real(self, name: str) -> float:
        with np.errstate(over="ignore"):
            return float(np.float32(self._number(name) or 0.0))

    def _number(self, name: str) -> float | int | None:
        scalar = self._found.get(name)
        if scalar is None or scalar.kind == "null":
            return None
        value = scalar.number
        if not math.isfinite(value):
            raise self._at.refuse(f"{name} is {value}")
        return value


def _options(at: OperatorReader) -> _Options:
    content = at.operator.customOptions
    try:
        found = dict(read_options(bytes([] if content is None else bytearray(content))))
        if list(found) != sorted(found):
            raise DamagedOptionsError("the names are not sorted")
    except DamagedOptionsError as error:
        raise InputError(
            f"{at.path}: {at.kind} layer {at.name!r}: its options are damaged: {error}"
        ) from error
    return _Options(at, found)


READERS: dict[str, Read] = {"TFLite_Detection_PostProcess": _detection}
