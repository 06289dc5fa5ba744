# SPDX-License-Identifier: Apache-2.0
"""The post-processing of object detectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.conformance.driver import Case
from tests.support.tflite_builder import TfliteBuilder

Found = tuple[list[int], list[int]]


def detections(
    boxes: int,
    classes: int,
    *,
    most: int = 10,
    background: bool = True,
    regular: bool = False,
    per_class: int | None = None,
    least: float = 0.2,
    overlap: float = 0.5,
    coordinates: int = 4,
    spread: float = 1.0,
    levels: int = 256,
) -> Case:
    """Offsets and scores are dequantised, as an int8 detector has them.

    `spread` is how far the anchors lie apart, `levels` how many scores differ: few give ties.
    """

    def case(b: TfliteBuilder, rng: np.random.Generator) -> Found:
        columns = classes + background
        x = b.tensor((1, boxes, coordinates), scale=0.05, zero_point=3)
        s = b.tensor((1, boxes, columns), scale=1 / 256, zero_point=-128)
        offsets = b.tensor((1, boxes, coordinates), "float32")
        fine, times, whole, scores = (b.tensor((1, boxes, columns), "float32") for _ in range(4))
        b.operator("DEQUANTIZE", [x], [offsets])
        b.operator("DEQUANTIZE", [s], [fine])
        b.operator("MUL", [fine, b.tensor((), "float32", data=levels)], [times])
        b.operator("FLOOR", [times], [whole])
        b.operator("MUL", [whole, b.tensor((), "float32", data=1 / levels)], [scores])
        centers = rng.uniform(0, spread, (boxes, 2))
        sizes = rng.uniform(0.05, 0.4, (boxes, 2))
        values = np.concatenate([centers, sizes], axis=1)
        anchors = b.tensor((boxes, 4), "float32", data=values)
        outputs = [
            b.tensor(shape, "float32") for shape in ((1, most, 4), (1, most), (1, most), (1,))
        ]
        limit: dict[str, Any] = {} if per_class is None else {"detections_per_class": per_class}
        b.custom(
            *("TFLite_Detection_PostProcess", [offsets, scores, anchors], outputs),
            max_detections=most,
            max_classes_per_detection=1,
            nms_score_threshold=least,
            nms_iou_threshold=overlap,
            num_classes=classes,
            use_regular_nms=regular,
            y_scale=10.0,
            x_scale=10.0,
            h_scale=5.0,
            w_scale=5.0,
            **limit,
        )
        return [x, s], outputs

    return case


CASES: dict[str, Case] = {
    "fast": detections(40, 3),
    "fast of one class": detections(30, 1),
    "fast without background": detections(30, 4, background=False),
    "fast, few": detections(12, 2, most=30, least=0.9),
    "fast, none": detections(12, 2, least=1.1),
    "fast, ties": detections(60, 2, levels=4),
    "fast, all overlap": detections(50, 2, spread=0.01, overlap=0.3),
    "fast, all apart": detections(50, 2, spread=100.0),
    "fast, wide boxes": detections(20, 2, coordinates=7),
    "regular": detections(40, 3, regular=True),
    "regular without background": detections(30, 4, background=False, regular=True),
    "regular, ties": detections(60, 3, regular=True, levels=4),
    "regular, two a class": detections(40, 5, regular=True, per_class=2),
    "regular, more than are left": detections(8, 2, most=40, regular=True, least=0.7),
    "regular, all overlap": detections(50, 3, regular=True, spread=0.01, overlap=1.0),
    "regular of one": detections(1, 1, most=1, regular=True),
}
