# SPDX-License-Identifier: Apache-2.0
"""Constant folding: operators of a .tflite that read only constants are computed beforehand.

A converter leaves chains of operators whose result is the same in every inference: SHAPE,
STRIDED_SLICE and PACK before a RESHAPE where the batch was open, anchors behind TILE, weights
behind DEQUANTIZE or TRANSPOSE. The reference kernels compute them, each operator as a model of
its own, so that a folded file gives the same bytes as the file it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle.foldable import Foldable
from tinyflow.oracle.process import Oracle, fold_in_process
from tinyflow.tflite.control_flow import has_control_flow, without_control_flow
from tinyflow.tflite.file import parse_tflite


@dataclass(frozen=True)
class _FoldedFile:
    """A file's bytes with constants folded; `mended` where it was no model that TFLM runs right."""

    content: bytes
    mended: bool = False


def fold_constants(content: bytes, path: Path) -> bytes:
    """A .tflite file's bytes without the operators that read only constants.

    Their outputs are constants of the new file; tensors keep their indices. Sizes that the file
    leaves open have the values that they have for a batch of the inputs' shape. An operator that
    neither library computes stays, for the importer to refuse. A file with nothing to fold comes
    back as it is.

    IF and WHILE are gone, too, as `without_control_flow` says: a condition may be what is folded,
    and what they are replaced by may be constant.

    Args:
        content: the file's bytes.
        path: where they came from, for messages only.

    Raises:
        InputError: the file is truncated or damaged, or the kernels do not survive its constants.
        UnsupportedError: a branch or a loop cannot be made operators.
    """
    folded = _fold(content, path).content
    straight = without_control_flow(folded, path)
    return folded if straight is folded else _fold(straight, path).content


def reference(content: bytes, *, keep_tensors: bool = False) -> Oracle:
    """The oracle of a file as it was given, or of the folded one where no library loads that.

    Both give the same bytes: the reference kernels themselves have computed what was folded. Where
    the file has wrong values for sizes that it leaves open, TFLM would take them as they are, and
    where zeros have no scale it may end; then it is the folded file, too, that counts.

    Args:
        content: the file's bytes.
        keep_tensors: give every tensor its own memory, so that `tensor` can read it.

    Raises:
        InputError: the bytes are not a model that the libraries can load.
        UnsupportedError: there is no reference kernel for one of the model's operators.
    """
    path = Path("model.tflite")
    folded = _fold(content, path)
    # Only the main subgraph's tensors can be read.
    if folded.mended or (keep_tensors and has_control_flow(content, path)):
        return Oracle(fold_constants(content, path), keep_tensors=keep_tensors)
    try:
        return Oracle(content, keep_tensors=keep_tensors)
    except (InputError, UnsupportedError):
        straight = fold_constants(content, path)
        if straight is content:
            raise
        return Oracle(straight, keep_tensors=keep_tensors)


def _fold(content: bytes, path: Path) -> _FoldedFile:
    known = Foldable(parse_tflite(content, path), path)
    folds = any(known.is_foldable(operator) for operator in known.operators)
    if not (folds or known.may_have_wrong_sizes() or known.zeros_without_scale()):
        return _FoldedFile(content)
    try:
        return _fold_once(content)
    except UnsupportedError as error:
        raise InputError(
            f"{path}: constants cannot be computed: {error.message}",
            hint="The file is damaged, or has constants that take long to compute: convert the "
            "model again, with fixed sizes.",
        ) from error


@lru_cache(maxsize=2)
def _fold_once(content: bytes) -> _FoldedFile:
    folded, mended = fold_in_process(content)
    return _FoldedFile(content if folded is None else folded, mended)
