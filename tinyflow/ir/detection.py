# SPDX-License-Identifier: Apache-2.0
"""Post-processing of an object detector's boxes: dataclass and rule."""

from __future__ import annotations

from dataclasses import dataclass

from tinyflow.ir.checks import OperatorRule, expect, fail, rank_of
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator, TensorId


@dataclass(frozen=True)
class DetectionPostProcess(Operator):
    """Non-maximum suppression of decoded boxes; float32.

    Boxes (1, boxes, 4 or more) as offsets of center and size from `anchors` (boxes, 4), scores
    (1, boxes, classes) or with a background class before the others. `results`: boxes
    (1, most, 4) as top, left, bottom, right; classes (1, most); scores (1, most); their number
    (1,). What is beyond the number is zeros.

    Attributes:
        most: detections at most.
        classes: without the background.
        per_class: boxes of a class at most; None if a box counts for its best class alone.
        least_score: scores below it do not count.
        most_overlap: boxes that overlap more, by intersection over union, count once.
        scales: that y, x, height and width of the offsets are divided by.
    """

    kind = "TFLite_Detection_PostProcess"
    input_fields = ("boxes", "scores", "anchors")
    output_field = "results"

    boxes: TensorId
    scores: TensorId
    anchors: TensorId
    results: tuple[TensorId, TensorId, TensorId, TensorId]
    most: int
    classes: int
    per_class: int | None
    least_score: float
    most_overlap: float
    scales: tuple[float, float, float, float]


def _detections(graph: Graph, op: DetectionPostProcess) -> None:
    batch, count, coordinates = rank_of(graph, op, op.boxes, 3)
    if batch != 1 or coordinates < 4:
        raise fail(op, f"boxes of {[batch, count, coordinates]}")
    scored = rank_of(graph, op, op.scores, 3)
    if scored[:2] != (1, count) or not 0 <= scored[2] - op.classes <= 1 or op.classes < 1:
        raise fail(op, f"scores of {list(scored)} for {count} boxes of {op.classes} classes")
    expect(op, "the anchors", graph.tensors[op.anchors].shape, (count, 4))
    sizes = [graph.tensors[index].elements for index in op.results]
    if sizes != [4 * op.most, op.most, op.most, 1]:
        raise fail(op, f"outputs of {sizes} elements for {op.most} detections")


#: Its rule, see `verify`.
RULES: dict[type[Operator], OperatorRule] = {DetectionPostProcess: _detections}
