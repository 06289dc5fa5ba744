"""SavedModel folders: what their graph would do, and the one signature to convert.

Imports TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tinyflow.convert.model_file import static_shape
from tinyflow.datasets.dataset import InputSpec
from tinyflow.errors import InputError

_SIZE_LIMIT = 2 << 30

#: Operators that TensorFlow calls stateful, and that only compute or hold variables.
_HARMLESS = {
    "AssignVariableOp", "DisableCopyOnRead", "Placeholder", "PlaceholderWithDefault",
    "ReadVariableOp", "RestoreV2", "StatefulPartitionedCall", "VarHandleOp",
    "VarIsInitializedOp", "While", "If", "MergeV2Checkpoints", "SaveV2", "ShardedFilename",
}  # fmt: skip
#: Operators that TensorFlow calls stateless, and that run code or read files all the same.
_HARMFUL = re.compile(
    r".*Py(thon)?Func.*|.*File.*|ImmutableConst|(De|En)code(Proto|Json).*|.*Dataset.*|.*Remote.*"
    r"|.*Custom.*|Xla.*|.*Compile.*|.*Socket.*|.*Summary.*|.*Debug.*|.*Checkpoint.*|.*Print.*"
)
_WRITES = {"MergeV2Checkpoints", "SaveV2"}


def check_graph(path: Path) -> None:
    """Read saved_model.pb and refuse every operator that does more than compute.

    Raises:
        InputError: the file is damaged, or holds an operator that runs code, reads or writes
            files, or is unknown; the message names the operator and the node.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    file = path / "saved_model.pb"
    try:
        if file.stat().st_size > _SIZE_LIMIT:
            raise InputError(f"{file}: larger than the {_SIZE_LIMIT:,} bytes allowed")
        saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    except (DecodeError, OSError) as error:
        raise InputError(f"{file}: damaged or truncated: not a SavedModel") from error
    if not saved.meta_graphs:
        raise InputError(f"{file}: damaged or truncated: it holds no graph")
    for meta in saved.meta_graphs:
        saver = _saving_function(meta)
        for function, node in _nodes(meta.graph_def):
            _check_node(path, node, saving=saver is not None and function == saver)


def _check_node(path: Path, node: Any, *, saving: bool) -> None:
    from tensorflow.python.framework import op_def_registry

    if node.op in _HARMLESS:
        harmful = node.op in _WRITES and not saving
    else:
        definition = op_def_registry.get(node.op)
        harmful = (
            definition is None or definition.is_stateful or _HARMFUL.fullmatch(node.op) is not None
        )
    if harmful:
        raise InputError(
            f"{path}: the node {node.name!r} is of the operator {node.op}, which does more than "
            "compute, or is unknown; refused, and nothing was executed",
            hint="Export the inference function alone: model.export('folder') in Keras 3.",
        )


def _nodes(graph: Any) -> list[tuple[str | None, Any]]:
    """Every node with the name of the function it lies in; None for the top level."""
    found: list[tuple[str | None, Any]] = [(None, node) for node in graph.node]
    for function in graph.library.function:
        found.extend((function.signature.name, node) for node in function.node_def)
    return found


def _saving_function(meta: Any) -> str | None:
    """The function that writes checkpoints, if nothing but the saver itself can call it."""
    node_name = meta.saver_def.save_tensor_name.split(":")[0]
    callers: dict[str, list[str]] = {}
    for _, node in _nodes(meta.graph_def):
        for attribute in node.attr.values():
            for called in (attribute.func.name, *(item.name for item in attribute.list.func)):
                if called:
                    callers.setdefault(called, []).append(node.name)
    named = [function for function, nodes in callers.items() if nodes == [node_name]]
    if len(named) != 1 or named[0] in meta.object_graph_def.concrete_functions:
        return None
    return named[0]


class SavedSignature:
    """The inference function of a SavedModel.

    Attributes:
        function: takes keyword arguments by input name, gives a dict of outputs.
        inputs: its inputs, ordered by name as the signature is.
        outputs: the names of its outputs, in order.
    """

    def __init__(self, path: Path) -> None:
        """Vet and load the folder.

        Raises:
            InputError: see `check_graph`; also when there is no single signature, or one of
                its inputs has a dynamic shape.
        """
        check_graph(path)
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(str(path))
        except Exception as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise InputError(f"{path}: TensorFlow cannot load it: {reason[0][:500]}") from error
        signatures = dict(self._loaded.signatures)
        if "serving_default" in signatures:
            self.function = signatures["serving_default"]
        elif len(signatures) == 1:
            self.function = next(iter(signatures.values()))
        else:
            raise InputError(
                f"{path}: needs a signature 'serving_default', holds "
                f"{sorted(signatures) or 'none'}",
                hint="Export it with model.export('folder') in Keras 3.",
            )
        specs = self.function.structured_input_signature[1]
        self.inputs = tuple(
            InputSpec(name, self._static(path, name, spec.shape), spec.dtype.name)
            for name, spec in sorted(specs.items())
        )
        self.outputs = sorted(self.function.structured_outputs)

    @staticmethod
    def _static(path: Path, name: str, shape: Any) -> tuple[int, ...]:
        if shape.rank is None:
            raise InputError(f"{path}: the input {name!r} has no known rank")
        return static_shape(path, name, shape.as_list())
