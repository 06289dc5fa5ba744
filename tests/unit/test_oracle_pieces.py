# SPDX-License-Identifier: Apache-2.0
"""Models cut where operators of TFLM and of LiteRT meet."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.conformance import int4
from tests.conformance.driver import Case
from tests.conformance.movement import gather_computed
from tests.support.small_model import small_model
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.datasets.accuracy import int8_predictions
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle.litert import LitertReference
from tinyflow.oracle.oracle import DirectOracle, Oracle
from tinyflow.oracle.pieces import cut_model
from tinyflow.tflite.file import unpack_int4


def mixed(name: str | None = None) -> bytes:
    """y = tile(a + b), and z = y + y: TFLM, LiteRT, TFLM; tensors 0 to 4, all scales 1."""
    b = TfliteBuilder()
    left, right, total = (b.tensor((1, 3), scale=1.0, name=name) for _ in range(3))
    tiled, twice = (b.tensor((2, 3), scale=1.0) for _ in range(2))
    b.operator("ADD", [left, right], [total])
    b.operator("TILE", [total, b.tensor((2,), "int32", data=(2, 1))], [tiled])
    b.operator("ADD", [tiled, tiled], [twice])
    return b.build([left, right], [tiled, twice])


A = np.array([[1, -2, 100]], np.int8)
B = np.array([[5, -7, 30]], np.int8)
SUM = np.array([[6, -9, 127]], np.int8)
TILED = np.concatenate([SUM, SUM])


def test_a_model_of_tflm_alone_is_one_piece_and_left_as_it_is() -> None:
    content = small_model()
    (piece,) = cut_model(content).pieces
    assert (piece.library, piece.content) == ("tflm", content)
    assert Oracle(content).name == "TensorFlow Lite Micro reference kernels (tflite-micro)"


def test_pieces_run_in_order_and_hand_tensors_on() -> None:
    pieces = cut_model(mixed()).pieces
    assert [(piece.library, piece.kinds) for piece in pieces] == [
        ("tflm", ("ADD",)),
        ("litert", ("TILE",)),
        ("tflm", ("ADD",)),
    ]
    assert [(piece.inputs, piece.outputs) for piece in pieces] == [
        ((0, 1), (2,)),
        ((2,), (3,)),
        ((3,), (4,)),
    ]
    oracle = Oracle(mixed())
    for _ in range(2):
        tiled, twice = oracle.run(A, B)
        np.testing.assert_array_equal(tiled, TILED)
        np.testing.assert_array_equal(twice, np.clip(2 * TILED.astype(int), -128, 127))
    assert oracle.name == (
        "TensorFlow Lite Micro reference kernels (tflite-micro) and "
        "LiteRT reference kernels (ai-edge-litert) for TILE"
    )


def test_every_tensor_is_kept_whichever_piece_writes_it() -> None:
    oracle = Oracle(mixed(), keep_tensors=True)
    oracle.run(A, B)
    for index, due in ((0, A), (2, SUM), (3, TILED)):
        np.testing.assert_array_equal(oracle.tensor(index), due)


def test_a_version_that_litert_does_not_know_is_lowered() -> None:
    b = TfliteBuilder()
    source, tiled = b.tensor((1, 3), scale=1.0), b.tensor((2, 3), scale=1.0)
    b.operator("TILE", [source, b.tensor((2,), "int32", data=(2, 1))], [tiled])
    b.model.operatorCodes[0].version = 3
    content = b.build([source], [tiled])
    with pytest.raises(InputError, match="'TILE' version '3'"):
        LitertReference(content)
    np.testing.assert_array_equal(Oracle(content).run(SUM)[0], TILED)
    (outputs,) = int8_predictions(content, (SUM,))
    np.testing.assert_array_equal(outputs, TILED)


def test_a_name_that_is_no_text_is_no_matter() -> None:
    content = mixed("damaged")
    assert content.count(b"damaged") == 3
    np.testing.assert_array_equal(
        Oracle(content.replace(b"damaged", b"\xff\xfe\xff\xfe\xff\xfe\xff")).run(A, B)[0], TILED
    )


def test_an_interpreter_is_kept_from_run_to_run() -> None:
    oracle = DirectOracle(mixed())
    before = [reference for _, reference in oracle._pieces]
    oracle.run(A, B)
    oracle.run(B, A)
    assert [reference for _, reference in oracle._pieces] == before


def test_what_shares_state_is_not_cut() -> None:
    b = TfliteBuilder()
    source, tiled = b.tensor((1, 2), scale=1.0), b.tensor((1, 4), scale=1.0)
    handle = b.tensor((), "int32")
    b.operator("VAR_HANDLE", [], [handle])
    b.operator("TILE", [source, b.tensor((2,), "int32", data=(1, 2))], [tiled])
    with pytest.raises(UnsupportedError, match="TILE next to subgraphs or variables"):
        cut_model(b.build([source], [tiled]))


def test_an_index_out_of_range_is_an_error() -> None:
    content, _ = built(gather_computed((5, 4), (2,), 0))
    oracle = Oracle(content)
    rows = np.zeros((5, 4), np.int8)
    oracle.run(rows, np.array([0, 4], np.int32))
    for index in (-1, 5, -(2**31), 2**31 - 1):
        with pytest.raises(InputError, match="the oracle refuses an input"):
            oracle.run(rows, np.array([0, index], np.int32))


def built(case: Case) -> tuple[bytes, tuple[int, ...]]:
    builder = TfliteBuilder()
    inputs, outputs = case(builder, np.random.default_rng(5))
    return builder.build(inputs, outputs), tuple(builder.subgraph.tensors[inputs[0]].shape)


def test_four_bits_are_unpacked_low_half_first() -> None:
    packed = np.array([0x10, 0x87, 0xF9], np.uint8)
    np.testing.assert_array_equal(unpack_int4(packed, 6), [0, 1, 7, -8, -7, -1])
    np.testing.assert_array_equal(unpack_int4(packed, 5), [0, 1, 7, -8, -7])


def directly(content: bytes, sample: np.ndarray) -> np.ndarray:
    """TFLM on the file as it is, with its weights of four bits."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(content)
    interpreter.set_input(sample, 0)
    interpreter.invoke()
    return np.asarray(interpreter.get_output(0))


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in int4.CASES
        if "fully_connected" not in name or name.endswith("per_tensor")
        if name != "depthwise_int4_dilated_valid"  # without a bias, which the wheel does not bear
    ],
)
def test_widened_weights_are_what_tflm_computes_with_four_bits(name: str) -> None:
    content, shape = built(int4.CASES[name])
    oracle = Oracle(content)
    assert oracle.name.endswith("int4 weights widened to int8")
    rng = np.random.default_rng(7)
    for _ in range(8):
        sample = rng.integers(-128, 128, shape, np.int8)
        np.testing.assert_array_equal(oracle.run(sample)[0], directly(content, sample))


@pytest.mark.parametrize("name", [n for n in int4.CASES if n.startswith("fully_connected")])
def test_litert_is_one_step_off_at_most(name: str) -> None:
    # It rounds once where TFLM rounds twice.
    content, shape = built(int4.CASES[name])
    oracle, litert = Oracle(content), LitertReference(content)
    rng = np.random.default_rng(7)
    for _ in range(8):
        sample = rng.integers(-128, 128, shape, np.int8)
        difference = oracle.run(sample)[0].astype(int) - litert.run([sample])[0]
        assert np.abs(difference).max() <= 1


def test_four_bits_that_are_no_whole_constant() -> None:
    content, _ = built(int4.CASES["fully_connected_int4"])
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    builder = TfliteBuilder()
    builder.model, builder.subgraph = model, model.subgraphs[0]
    index = next(t.buffer for t in builder.subgraph.tensors if t.type == schema.TensorType.INT4)
    model.buffers[index].data = model.buffers[index].data[:-1]
    with pytest.raises(InputError, match="int4 that is not a whole constant"):
        Oracle(builder.build(model.subgraphs[0].inputs, model.subgraphs[0].outputs))


def test_a_depthwise_convolution_without_bias_does_not_end_the_process() -> None:
    script = (
        "import numpy as np; from tests.conformance.windows import depthwise; "
        "from tests.conformance.driver import model_of; "
        "from tinyflow.oracle.oracle import Oracle; "
        "oracle = Oracle(model_of({'depthwise': depthwise(bias=False)})); "
        "print(oracle.run(np.zeros((1, 9, 8, 6), np.int8))[0].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "(1, 9, 8, 6)"


def test_a_state_is_kept_and_read_in_whatever_piece_it_is() -> None:
    b = TfliteBuilder()
    x, y = (b.tensor((1, 2), scale=0.5) for _ in range(2))
    b.operator("RELU_N1_TO_1", [x], [y])
    feature = b.tensor((1, 2), scale=0.5, data=[[1, 1]])
    time = b.tensor((1, 3), scale=0.5, data=[[1, 1, 1]])
    bias = b.tensor((1,), "int32", scale=0.25, data=[0])
    state = b.tensor((1, 3), scale=0.5, variable=True)
    z = b.tensor((1, 1), scale=0.25)
    b.operator("SVDF", [y, feature, time, bias, state], [z], rank=1)
    oracle = Oracle(b.build([x], [z]), keep_tensors=True)
    sums = [int(oracle.run(np.full((1, 2), value, np.int8))[0][0, 0]) for value in (2, 1, 0, 0)]
    assert sums == [2, 3, 3, 1]
    assert oracle.tensor(state).tolist() == [[1, 0, 0]]


def classifier(classes: int, scale: float) -> bytes:
    """y = softmax(max(x, x)) over that many classes."""
    b = TfliteBuilder()
    x, same = (b.tensor((1, classes), scale=scale) for _ in range(2))
    b.operator("MAXIMUM", [x, x], [same])
    y = b.tensor((1, classes), scale=1 / 256, zero_point=-128)
    b.operator("SOFTMAX", [same], [y], beta=1.0)
    return b.build([x], [y])


def test_a_long_softmax_stands_alone_and_is_watched() -> None:
    assert len(cut_model(classifier(511, 0.1)).pieces) == 1
    kinds = [piece.kinds for piece in cut_model(classifier(1000, 0.1)).pieces]
    assert kinds == [("MAXIMUM",), ("SOFTMAX",)]
    oracle = Oracle(classifier(1000, 0.1))
    rng = np.random.default_rng(1)
    (found,) = oracle.run(rng.integers(-128, 128, (1, 1000), np.int8))
    assert found.max() > -128
    # 511 of the largest are as many as the kernel takes, 512 are one too many.
    values = np.full((1, 1000), -128, np.int8)
    values[0, :510] = 127
    oracle.run(values)
    values[0, :512] = 127
    with pytest.raises(InputError, match="a SOFTMAX of 1000 elements"):
        oracle.run(values)
