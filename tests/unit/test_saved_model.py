# SPDX-License-Identifier: Apache-2.0
"""SavedModels from strangers: what is refused, what is left out, and that nothing runs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.convert.saved_model import SavedSignature
from tinyflow.errors import InputError

tf = pytest.importorskip("tensorflow")
X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
DOUBLED = np.maximum(2 * X, 0)


def touch(path: Path) -> Any:
    """A graph function that writes a file and gives back its argument."""

    @tf.function(autograph=False)
    def evil(x: Any) -> Any:
        names, slices = tf.constant(["a"]), tf.constant([""])
        saved = tf.raw_ops.SaveV2(
            prefix=tf.constant(str(path)),
            tensor_names=names,
            shape_and_slices=slices,
            tensors=[tf.constant([b"x"])],
        )
        with tf.control_dependencies([saved]):
            return tf.identity(x)

    return evil


def module(before: Callable[[Any], Any] = lambda x: x) -> Any:
    """y = relu(x @ w) after what `before` does to x."""

    class Model(tf.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            self.weights = tf.Variable(2 * np.eye(4, dtype=np.float32))

        @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32, name="x")])
        def serve(self, x: Any) -> dict[str, Any]:
            return {"y": tf.nn.relu(before(x) @ self.weights)}

    return Model()


def save(model: Any, folder: Path) -> Path:
    tf.saved_model.save(model, str(folder), signatures={"serving_default": model.serve})
    return folder


def edited(folder: Path, edit: Callable[[Any], None]) -> Path:
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    edit(saved.meta_graphs[0])
    file.write_bytes(saved.SerializeToString())
    return folder


def outputs(folder: Path) -> Any:
    return SavedSignature(folder).function(x=tf.constant(X))["y"].numpy()


def test_weights_and_signature_are_kept(tmp_path: Path) -> None:
    model = module()
    model.training = tf.function(
        lambda x: tf.nn.dropout(x, 0.5), input_signature=[tf.TensorSpec((None, 4))]
    )
    signature = SavedSignature(save(model, tmp_path / "m"))
    assert [(spec.name, spec.shape) for spec in signature.inputs] == [("x", (4,))]
    assert signature.outputs == ["y"]
    np.testing.assert_array_equal(outputs(tmp_path / "m"), DOUBLED)


def _named_like_the_saver(meta: Any) -> None:
    """Let the node that calls `evil` bear the name by which the saver's node is known."""
    evil = {
        function.signature.name
        for function in meta.graph_def.library.function
        if "evil" in function.signature.name
    }
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            if "f" in node.attr and node.attr["f"].func.name in evil:
                former, node.name = node.name, "call"
                for other in function.node_def:
                    for index, source in enumerate(other.input):
                        other.input[index] = source.replace(former, "call", 1)
                for key, value in function.ret.items():
                    function.ret[key] = value.replace(f"{former}:", "call:")
    meta.saver_def.save_tensor_name = "call:0"


def _called_by_name(meta: Any) -> None:
    """Let nodes call `evil` as an operator, as TensorFlow 1 wrote calls."""
    for function in meta.graph_def.library.function:
        for node in function.node_def:
            if "f" in node.attr and "evil" in node.attr["f"].func.name:
                node.op = node.attr["f"].func.name
                node.attr.clear()


@pytest.mark.parametrize("edit", [lambda meta: None, _named_like_the_saver, _called_by_name])
@pytest.mark.parametrize("where", ["called", "in a branch", "in a loop"])
def test_operators_are_judged_by_where_they_are_reached_from(
    tmp_path: Path, where: str, edit: Callable[[Any], None]
) -> None:
    evil = touch(tmp_path / "written")

    def before(x: Any) -> Any:
        if where == "called":
            return evil(x)
        if where == "in a branch":
            return tf.cond(tf.reduce_sum(x) > -1e9, lambda: evil(x), lambda: x)
        return tf.while_loop(lambda i, _: i < 2, lambda i, y: (i + 1, evil(y)), (0, x))[1]

    folder = edited(save(module(before), tmp_path / "m"), edit)
    with pytest.raises(InputError, match=r"SaveV2.*nothing was executed"):
        outputs(folder)
    assert not list(tmp_path.glob("written*"))


def test_what_loading_would_run_is_left_out(tmp_path: Path) -> None:
    """Functions attached to objects run when TensorFlow loads a SavedModel; here they do not."""
    evil = touch(tmp_path / "written")
    model = module()
    model.extra = tf.Module()
    initialise = tf.function(lambda: evil(tf.constant(0.0)), input_signature=[])
    model.extra.first, model.extra.second = initialise, initialise
    folder = save(model, tmp_path / "m")

    def edit(meta: Any) -> None:
        nodes = meta.object_graph_def.nodes
        extra = next(c.node_id for c in nodes[0].children if c.local_name == "extra")
        for child, name in zip(
            nodes[extra].children, ("_create_resource", "_initialize"), strict=True
        ):
            child.local_name = name
        nodes[extra].resource.device = ""

    edited(folder, edit)
    tf.saved_model.load(str(folder))  # the control
    assert list(tmp_path.glob("written*"))
    for file in tmp_path.glob("written*"):
        file.unlink()
    np.testing.assert_array_equal(outputs(folder), DOUBLED)
    assert not list(tmp_path.glob("written*"))


def first_version(folder: Path, *, init: bool = False, inside: bool = False) -> Path:
    """A SavedModel as TensorFlow 1 writes it."""
    one = tf.compat.v1
    write = {"filename": str(folder.parent / "written"), "contents": "x"}
    with tf.Graph().as_default(), one.Session() as session:
        x = one.placeholder(tf.float32, (None, 4), name="x")
        weights = one.get_variable("w", initializer=2 * np.eye(4, dtype=np.float32))
        y = tf.nn.relu(x @ weights)
        if inside:
            with tf.control_dependencies([tf.io.write_file(**write)]):
                y = tf.identity(y)
        session.run(one.global_variables_initializer())
        builder = one.saved_model.Builder(str(folder))
        signature = one.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(
            session,
            ["serve"],
            {"serving_default": signature},
            main_op=tf.group(tf.io.write_file(**write)) if init else None,
        )
        builder.save()
    return folder


def test_models_of_tensorflow_1(tmp_path: Path) -> None:
    np.testing.assert_array_equal(outputs(first_version(tmp_path / "plain")), DOUBLED)
    np.testing.assert_array_equal(outputs(first_version(tmp_path / "init", init=True)), DOUBLED)
    with pytest.raises(InputError, match=r"WriteFile.*nothing was executed"):
        outputs(first_version(tmp_path / "inside", inside=True))
    assert not (tmp_path / "written").exists()


def test_operators_that_are_unknown_are_refused(tmp_path: Path) -> None:
    def edit(meta: Any) -> None:
        for function in meta.graph_def.library.function:
            for node in function.node_def:
                if node.op == "Relu":
                    node.op = "NotYetInvented"

    with pytest.raises(InputError, match="NotYetInvented"):
        outputs(edited(save(module(), tmp_path / "m"), edit))


def test_signatures_are_named_where_none_can_be_chosen(tmp_path: Path) -> None:
    model = module()
    both = {"a": model.serve, "b": model.serve}
    tf.saved_model.save(model, str(tmp_path / "m"), signatures=both)
    with pytest.raises(
        InputError, match=r"needs a signature 'serving_default', holds \['a', 'b'\]"
    ):
        SavedSignature(tmp_path / "m")
