# SPDX-License-Identifier: Apache-2.0
"""The post-processing of an object detector, in portable C."""

from __future__ import annotations

from tinyflow.boards import Board
from tinyflow.ir.detection import DetectionPostProcess
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Constant, Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.kernels.makers import Maker
from tinyflow.numerics.exp_table import exp_table


def detection_postprocess(
    op: DetectionPostProcess, graph: Graph, board: Board, cmsis: CmsisNN
) -> Kernel | None:
    """TFLite_Detection_PostProcess: float32, constant anchors, fast or regular suppression.

    Fast suppression takes one class a detection. Missing detections are zeros. A box
    without an area ends the inference with an error, as in the reference.
    """
    _, count, coordinates = graph.tensors[op.boxes].shape
    columns = graph.tensors[op.scores].shape[2]
    chosen = min(count, op.most if op.per_class is None else op.per_class)
    context = {
        "boxes": count,
        "coordinates": coordinates,
        "columns": columns,
        "background": columns - op.classes,
        "most": op.most,
        "chosen": chosen,
        "regular": int(op.per_class is not None),
        "least_score": op.least_score,
        "most_overlap": op.most_overlap,
        "scales": op.scales,
    }
    # Decoded boxes, the best scores of all, and of those that are left their scores and places;
    # then numbers of 16 bits: the order of the boxes, and those chosen.
    scratch = 4 * (4 * count + count + 2 * op.most) + 2 * (count + chosen)
    anchors = graph.tensors[op.anchors]
    return Kernel(
        op,
        "tinyflow_detection_postprocess_f32",
        "tinyflow",
        "portable/detection_postprocess_f32.c.j2",
        context,
        constants=(
            Constant("anchors", "float", anchors.values, f"anchors {list(anchors.shape)}"),
            Constant("exponentials", "int64_t", exp_table(), "2^(i / 32) and its rest [32]"),
        ),
        scratch=-(-scratch // 4) * 4,
        header="tinyflow_detection.h",
        needs=("tinyflow_exp.c", "tinyflow_math.h"),
    )


KERNELS: dict[type[Operator], tuple[Maker, ...]] = {DetectionPostProcess: (detection_postprocess,)}
