# SPDX-License-Identifier: Apache-2.0
"""SavedModel folders: the one signature to convert, and nothing else of them.

A SavedModel can run operators when it is loaded and when it is called. What is loaded here is a
copy cut down to one signature, and every operator that the signature reaches must be one of
those that only compute: where an operator is reached from counts, not what it is called.

Imports TensorFlow: called in worker processes only.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tinyflow.convert.graph_operators import ALLOWED, RESTORING
from tinyflow.convert.model_file import static_shape
from tinyflow.datasets.dataset import InputSpec
from tinyflow.errors import InputError

_SIZE_LIMIT = 2 << 30
_DEFAULT_SIGNATURE = "serving_default"
#: Collections of TensorFlow 1 with operators that loading runs: tables, assets.
_INITIALISERS = ("saved_model_main_op", "legacy_init_op", "saved_model_assets", "table_initializer")
_INIT_SIGNATURE = "__saved_model_init_op"


class SavedSignature:
    """The inference function of a SavedModel.

    Attributes:
        function: takes keyword arguments by input name, gives a dict of outputs.
        inputs: its inputs, ordered by name as the signature is.
        outputs: the names of its outputs, in order.
    """

    def __init__(self, path: Path) -> None:
        """Cut the model down to its signature, check that, and load it.

        Raises:
            InputError: the folder is damaged; it has no single signature; the signature reaches
                an operator that does more than compute; an input has a dynamic shape.
        """
        saved = _read(path)
        name = _keep_one_signature(path, saved)
        for meta in saved.meta_graphs:
            _check(path, meta)
        import tensorflow as tf

        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "saved_model.pb").write_bytes(saved.SerializeToString())
            _copy_variables(path, Path(folder))
            try:
                self._loaded = tf.saved_model.load(folder)
                self.function = self._loaded.signatures[name]
            except Exception as error:
                reason = str(error).strip().splitlines() or [type(error).__name__]
                raise InputError(
                    f"{path}: TensorFlow cannot load it: {reason[0][:500].replace(folder, '...')}"
                ) from error
        # What will run is what counts, however TensorFlow came to it.
        graph = self.function.graph.as_graph_def()
        for node in _reached(graph, graph.node):
            _check_node(path, node, ALLOWED)
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


def _read(path: Path) -> Any:
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
    return saved


def _copy_variables(path: Path, folder: Path) -> None:
    """Copy the weights, which TensorFlow expects next to the graph."""
    (folder / "variables").mkdir()
    try:
        files = sorted((path / "variables").iterdir())
        if sum(file.stat().st_size for file in files) > _SIZE_LIMIT:
            raise InputError(f"{path / 'variables'}: larger than the {_SIZE_LIMIT:,} bytes allowed")
        for file in files:
            if file.is_file():
                shutil.copyfile(file, folder / "variables" / file.name)
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(f"{path}: its variables cannot be read: {error.strerror}") from error


# -------------------------------------------------------------------------- cutting down


def _keep_one_signature(path: Path, saved: Any) -> str:
    """Take everything out of a SavedModel but one signature and the variables; its name."""
    # The condition by which TensorFlow's loader distinguishes the two forms.
    first = saved.meta_graphs[0]
    is_object_graph = len(saved.meta_graphs) == 1 and first.HasField("object_graph_def")
    if not is_object_graph:
        name = _choose(path, {name for name in first.signature_def if name != _INIT_SIGNATURE})
        for meta in saved.meta_graphs:
            meta.ClearField("asset_file_def")
            for key in _INITIALISERS:
                meta.collection_def.pop(key, None)
            for other in set(meta.signature_def) - {name}:
                del meta.signature_def[other]
        return name
    objects = first.object_graph_def
    try:
        signatures = _children(objects, 0).get("signatures")
        by_name = {} if signatures is None else _children(objects, signatures)
        name = _choose(path, by_name)
        kept = by_name[name]
        functions = _concrete_functions(objects.nodes[kept])
        _cut_objects(objects, signatures, kept)
    except (IndexError, ValueError) as error:
        raise InputError(f"{path / 'saved_model.pb'}: damaged: its objects do not fit") from error
    for other in set(objects.concrete_functions) - set(functions):
        del objects.concrete_functions[other]
    graph = first.graph_def
    # The loader takes the library alone; the nodes outside of it are for TensorFlow 1.
    graph.ClearField("node")
    library = {function.signature.name: function for function in graph.library.function}
    reached = _reached_functions(library, functions)
    bodies = [library[each] for each in sorted(reached)]
    graph.library.ClearField("function")
    graph.library.ClearField("gradient")
    graph.library.ClearField("registered_gradients")
    graph.library.function.extend(bodies)
    first.signature_def.clear()
    first.collection_def.clear()
    first.ClearField("asset_file_def")
    first.ClearField("saver_def")
    return name


def _choose(path: Path, names: Iterable[str]) -> str:
    found = sorted(names)
    if _DEFAULT_SIGNATURE in found:
        return _DEFAULT_SIGNATURE
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"{path}: needs a signature {_DEFAULT_SIGNATURE!r}, holds {found or 'none'}",
        hint="Export it with model.export('folder') in Keras 3.",
    )


def _children(objects: Any, node: int) -> dict[str, int]:
    return {child.local_name: child.node_id for child in objects.nodes[node].children}


def _concrete_functions(node: Any) -> list[str]:
    kind = node.WhichOneof("kind")
    if kind == "function":
        return list(node.function.concrete_functions)
    if kind == "bare_concrete_function":
        return [node.bare_concrete_function.concrete_function_name]
    raise ValueError("a signature is a function")


def _cut_objects(objects: Any, signatures: int | None, kept: int) -> None:
    """Leave variables, constants, and the kept function; other objects lose what they do.

    Loading may call a function by the name it is attached under, so functions stay attached to
    the signatures only. The numbers of the nodes stay: the weights are found by them.
    """
    for index, node in enumerate(objects.nodes):
        node.ClearField("saveable_objects")
        node.ClearField("registered_name")
        node.ClearField("registered_saver")
        kind = node.WhichOneof("kind")
        if kind not in ("variable", "constant", "captured_tensor") and index not in (
            kept,
            signatures,
        ):
            node.user_object.identifier = "trackable"
            node.user_object.ClearField("metadata")
            node.ClearField("dependencies")
    callable_nodes = {
        index
        for index, node in enumerate(objects.nodes)
        if node.WhichOneof("kind") in ("function", "bare_concrete_function")
    }
    for index, node in enumerate(objects.nodes):
        children = [
            child
            for child in node.children
            if child.node_id not in callable_nodes
            or (index == signatures and child.node_id == kept)
        ]
        node.ClearField("children")
        node.children.extend(children)


# ------------------------------------------------------------------------------ checking


def _check(path: Path, meta: Any) -> None:
    """Refuse every operator that loading or running the signature would run.

    Raises:
        InputError: the message names the operator and the node.
    """
    graph = meta.graph_def
    if not meta.HasField("object_graph_def") or graph.node:
        wanted = [
            tensor.name
            for signature in meta.signature_def.values()
            for tensor in (*signature.inputs.values(), *signature.outputs.values())
        ]
        for node in _reached(graph, _behind(graph, wanted)):
            _check_node(path, node, ALLOWED)
        restoring = [meta.saver_def.restore_op_name, meta.saver_def.filename_tensor_name]
        for node in _reached(graph, _behind(graph, restoring)):
            _check_node(path, node, RESTORING)
    if meta.HasField("object_graph_def"):
        for function in graph.library.function:
            for node in function.node_def:
                if node.op not in _names(graph):
                    _check_node(path, node, ALLOWED)


def _names(graph: Any) -> set[str]:
    return {function.signature.name for function in graph.library.function}


def _check_node(path: Path, node: Any, allowed: Iterable[str]) -> None:
    if node.op not in allowed:
        raise InputError(
            f"{path}: the node {node.name!r} is of the operator {node.op}, which does more than "
            "compute, or is unknown; refused, and nothing was executed",
            hint="Export the inference function alone: model.export('folder') in Keras 3.",
        )


def _behind(graph: Any, tensors: Iterable[str]) -> list[Any]:
    """The nodes that these tensors depend on."""
    nodes = {node.name: node for node in graph.node}
    found: dict[str, Any] = {}
    pending = list(tensors)
    while pending:
        name = pending.pop().lstrip("^").split(":")[0]
        if name in nodes and name not in found:
            found[name] = nodes[name]
            pending.extend(nodes[name].input)
    return list(found.values())


def _reached(graph: Any, nodes: Iterable[Any]) -> list[Any]:
    """Nodes, and those of all functions that they call; calls by a function's name left out."""
    library = {function.signature.name: function for function in graph.library.function}
    nodes = list(nodes)
    called = _reached_functions(library, [name for node in nodes for name in _called(node)])
    inside = [node for name in sorted(called) for node in library[name].node_def]
    return [node for node in (*nodes, *inside) if node.op not in library]


def _reached_functions(library: dict[str, Any], roots: Iterable[str]) -> set[str]:
    found: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name in library and name not in found:
            found.add(name)
            for node in library[name].node_def:
                pending.extend(_called(node))
    return found


def _called(node: Any) -> list[str]:
    """Names of functions that a node may call: by attribute, or as its operator."""
    names = [node.op]
    for attribute in node.attr.values():
        for function in (attribute.func, *attribute.list.func):
            names.append(function.name)
            # Attributes of a function may be functions again.
            pending = list(function.attr.values())
            while pending:
                value = pending.pop()
                names.extend(each.name for each in (value.func, *value.list.func))
                pending.extend(value.func.attr.values())
                for each in value.list.func:
                    pending.extend(each.attr.values())
    return [name for name in names if name]
