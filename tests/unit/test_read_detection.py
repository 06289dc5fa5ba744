# SPDX-License-Identifier: Apache-2.0
"""TFLite_Detection_PostProcess of a .tflite: what is refused, and what the oracle makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.conformance.detection import detections
from tests.conformance.driver import model_of
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.ir.detection import DetectionPostProcess
from tinyflow.oracle.left import DetectionsLeft
from tinyflow.oracle.oracle import Oracle
from tinyflow.tflite.importer import import_model

_OPTIONS: dict[str, Any] = {
    "max_detections": 10,
    "max_classes_per_detection": 1,
    "nms_score_threshold": 0.2,
    "nms_iou_threshold": 0.5,
    "num_classes": 3,
    "y_scale": 10.0,
    "x_scale": 10.0,
    "h_scale": 5.0,
    "w_scale": 5.0,
}


def operator_with(**options: Any) -> DetectionPostProcess:
    b = TfliteBuilder()
    inputs, outputs = detections(20, 3)(b, np.random.default_rng(0))
    values = {name: value for name, value in (_OPTIONS | options).items() if value is not None}
    content = bytes(flexbuffers.Dumps(values))
    b.subgraph.operators[-1].customOptions = np.frombuffer(content, np.uint8)
    graph = import_model(b.build(inputs, outputs), Path("ssd.tflite"), name="ssd")
    operator = graph.operators[-1]
    assert isinstance(operator, DetectionPostProcess)
    return operator


def test_options_are_read_by_name_with_the_defaults_of_the_reference() -> None:
    assert operator_with().per_class is None
    assert operator_with(use_regular_nms=True).per_class == 100
    assert operator_with(use_regular_nms=1, detections_per_class=7).per_class == 7
    assert operator_with(y_scale=3, _output_quantized=True).scales == (3.0, 10.0, 5.0, 5.0)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_classes_per_detection": 2}, "TFLM writes beyond its outputs"),
        ({"max_classes_per_detection": None}, "max_classes_per_detection is 0"),
        ({"max_detections": 0}, "max_detections is 0"),
        ({"num_classes": None}, "num_classes 0"),
        ({"nms_iou_threshold": 0.0}, "nms_iou_threshold is 0.0"),
        ({"nms_iou_threshold": 1.5}, "nms_iou_threshold is 1.5"),
        ({"nms_iou_threshold": float("nan")}, "nms_iou_threshold is nan"),
        ({"h_scale": None}, "a scale is 0"),
        ({"x_scale": float("inf")}, "x_scale is inf"),
        ({"max_detections": 1.5}, "expected an integer"),
        ({"use_regular_nms": True, "detections_per_class": 0}, "detections_per_class is 0"),
    ],
)
def test_options_that_the_reference_cannot_take_are_refused(
    options: dict[str, Any], says: str
) -> None:
    with pytest.raises(UnsupportedError, match=says) as caught:
        operator_with(**options)
    assert "TFLite_Detection_PostProcess layer" in caught.value.message


@pytest.mark.parametrize("options", [{"max_detections": 11}, {"num_classes": 5}])
def test_shapes_that_do_not_fit_are_damage(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="the model is damaged"):
        operator_with(**options)


def test_inputs_of_int8_are_refused_with_the_cure() -> None:
    b = TfliteBuilder()
    x, s = b.tensor((1, 5, 4), scale=0.1), b.tensor((1, 5, 2), scale=0.1)
    anchors = b.tensor((5, 4), "float32", data=np.ones((5, 4)))
    outputs = [b.tensor(shape, "float32") for shape in ((1, 3, 4), (1, 3), (1, 3), (1,))]
    b.custom("TFLite_Detection_PostProcess", [x, s, anchors], outputs, **_OPTIONS)
    with pytest.raises(UnsupportedError, match="is int8, TFLM takes float32") as caught:
        import_model(b.build([x, s], outputs), Path("ssd.tflite"), name="ssd")
    assert caught.value.hint == "Put a DEQUANTIZE before it."


def test_detections_beyond_their_number_are_zeros_to_the_oracle() -> None:
    oracle = Oracle(model_of({"few": detections(12, 2, least=0.99, overlap=0.1)}))
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = rng.integers(-128, 128, (1, 12, 4), np.int8)
        scores = rng.integers(-128, 128, (1, 12, 3), np.int8)
        scores[0, : rng.integers(0, 12), 1:] = 127
        boxes, classes, values, count = oracle.run(x, scores)
        number = int(count[0])
        assert (values[0, :number] > 0).all()
        for left in (boxes[0, number:], classes[0, number:], values[0, number:]):
            assert not left.any()


def test_what_is_left_of_detections_is_cut_by_their_number() -> None:
    found = [np.ones((1, 3, 4)), np.ones((1, 3)), np.ones((1, 3)), np.array([2.0])]
    boxes, classes, scores, count = DetectionsLeft().settled(found, None, 0)
    assert boxes.sum() == 8 and classes.sum() == 2 and scores.sum() == 2 and count == 2


def test_a_box_without_an_area_is_an_error_of_the_reference() -> None:
    b = TfliteBuilder()
    inputs, outputs = detections(6, 1)(b, np.random.default_rng(0))
    anchors = b.subgraph.tensors[b.subgraph.operators[-1].inputs[2]]
    b.model.buffers[anchors.buffer].data = np.zeros(6 * 4 * 4, np.uint8)
    oracle = Oracle(b.build(inputs, outputs))
    with pytest.raises(InputError, match="the oracle refuses an input"):
        oracle.run(np.zeros((1, 6, 4), np.int8), np.zeros((1, 6, 2), np.int8))
