# SPDX-License-Identifier: Apache-2.0
"""Signal operators of a .tflite: what is refused, and with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flatbuffers import flexbuffers

from tests.conformance import signal, streams
from tests.conformance.driver import Case, model_of
from tests.support.tflite_builder import TfliteBuilder
from tinyflow.errors import InputError, TinyflowError, UnsupportedError
from tinyflow.ir.float32 import computes_in_float32
from tinyflow.ir.signal import SignalFramer, SignalWindow
from tinyflow.ir.types import DType
from tinyflow.numerics.fft import log_segments, twiddles
from tinyflow.oracle.pieces import cut_model
from tinyflow.tflite.importer import import_model

Change = Callable[[TfliteBuilder], None]


def imported(case: Case, change: Change | None = None) -> None:
    b = TfliteBuilder()
    inputs, outputs = case(b, np.random.default_rng(0))
    if change is not None:
        change(b)
    import_model(b.build(inputs, outputs), Path("front.tflite"), name="front")


def options(**values: int | float | str) -> Change:
    def change(b: TfliteBuilder) -> None:
        content = bytes(flexbuffers.Dumps(values))
        b.subgraph.operators[-1].customOptions = np.frombuffer(content, np.uint8)

    return change


def raw(content: bytes | None) -> Change:
    def change(b: TfliteBuilder) -> None:
        b.subgraph.operators[-1].customOptions = (
            None if content is None else np.frombuffer(content, np.uint8)
        )

    return change


@pytest.mark.parametrize("content", [None, b"", b"\x01\x02\x03", b"\xff" * 40])
def test_damaged_options_are_named(content: bytes | None) -> None:
    with pytest.raises(InputError, match="SignalWindow layer 'tensor_1': its options are damaged"):
        imported(signal.window(), raw(content))


@pytest.mark.parametrize(
    ("case", "change", "says"),
    [
        (signal.window(), options(shift=32), "shift is 32, expected 0 to 31"),
        (signal.window(), options(shift=-1), "shift is -1"),
        (signal.window(), options(other=1), "its options are other; expected the integers shift"),
        (signal.window(), options(shift=1.5), "expected the integers shift"),
        (signal.window(), options(a=1, shift=12), "its options are a, shift"),
        (signal.fft(64), options(T=9, fft_length=64), "option T is 9"),
        (signal.fft(64), options(T=2, fft_length=64), "int16, expected int32"),
        (signal.fft(64), options(T=7, fft_length=28), "without prime factors above 5"),
        (signal.fft(64), options(T=7, fft_length=2), "a transform of 2 samples"),
        (signal.fft(64), options(T=7, fft_length=63), "a transform of 63 samples"),
        (signal.fft(64), options(T=7, fft_length=2**20), "fft_length is 1048576"),
        (streams.framer((12,), 20, 4), options(frame_size=3, frame_step=4, prefill=1), "prefill"),
        (streams.stacker(4, 1, 1, 1), options(
            num_channels=4, stacker_left_context=1, stacker_right_context=1, stacker_step=4
        ), "each 4 frames"),
        (signal.pcan(5), options(snr_shift=64), "snr_shift is 64"),
        (signal.filter_bank((1, 2, 3), 9), options(num_channels=3), "num_channels is 3"),
    ],
)  # fmt: skip
def test_options_outside_of_what_is_defined_are_refused(
    case: Case, change: Change, says: str
) -> None:
    with pytest.raises(UnsupportedError, match=says):
        imported(case, change)


def test_shapes_that_do_not_fit_are_damage() -> None:
    with pytest.raises(InputError, match="the output has the shape"):
        imported(signal.fft(64), options(T=7, fft_length=128))
    with pytest.raises(InputError, match="a channel of 5 energies from"):
        imported(signal.filter_bank((2, 5), 9), _a_channel_beyond_the_energies)


def _a_channel_beyond_the_energies(b: TfliteBuilder) -> None:
    frequencies = b.subgraph.tensors[b.subgraph.operators[-1].inputs[3]]
    b.model.buffers[frequencies.buffer].data = np.frombuffer(
        np.array([0, 5], np.int16).tobytes(), np.uint8
    )


def test_energies_that_the_reference_does_not_write_may_not_be_read() -> None:
    imported(signal.energy(20, 4, 12))
    for start, stop in ((5, 12), (4, 11)):
        with pytest.raises(UnsupportedError, match="energies before start_index or from end_index"):
            imported(signal.energy(20, 4, 12), _energy_options(start, stop))


def _energy_options(start: int, stop: int) -> Change:
    def change(b: TfliteBuilder) -> None:
        content = bytes(flexbuffers.Dumps({"end_index": stop, "start_index": start}))
        b.subgraph.operators[0].customOptions = np.frombuffer(content, np.uint8)

    return change


def test_a_custom_operator_that_is_not_known_is_refused_by_its_name() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((4,), "int16"), b.tensor((4,), "int16", name="y")
    b.custom("SignalMagic", [x], [y])
    with pytest.raises(UnsupportedError, match="CUSTOM 'SignalMagic' of layer 'y'"):
        import_model(b.build([x], [y]), Path("magic.tflite"), name="magic")


def test_a_custom_operator_named_like_a_builtin_one_is_refused() -> None:
    b = TfliteBuilder()
    x, y = b.tensor((4,), "int8", 0.1), b.tensor((4,), "int8", 0.1)
    b.custom("RELU", [x], [y])
    with pytest.raises(UnsupportedError, match="CUSTOM 'RELU'"):
        import_model(b.build([x], [y]), Path("relu.tflite"), name="relu")


def test_a_division_of_int32_that_may_be_by_zero_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="may be 0"):
        imported(signal.divided((3,), [1, 0, 2]))


def test_a_state_inside_of_an_operator_is_a_tensor_of_the_graph() -> None:
    content = model_of({"framer": streams.framer((1, 12), 20, 4, prefill=True)})
    graph = import_model(content, Path("framer.tflite"), name="framer")
    (operator,) = graph.operators
    assert isinstance(operator, SignalFramer)
    samples, count = graph.tensors[operator.samples], graph.tensors[operator.count]
    assert samples.internal and samples.shape == (1, 16) and samples.dtype is DType.INT16
    assert count.initial is not None and count.initial.tolist() == [16]


def test_no_state_is_taken_for_more_samples_than_fit() -> None:
    with pytest.raises(UnsupportedError, match="a state of"):
        imported(streams.delay((4,), 5), options(delay_length=2**31 - 1))


def test_the_oracle_runs_an_operator_that_warms_its_output_alone() -> None:
    cases = {"window": signal.window(), "framer": streams.framer((1, 12), 20, 4)}
    first, second = cut_model(model_of(cases)).pieces
    assert first.left is None
    assert second.left is not None and second.kinds == ("SignalFramer",)
    prefilled = {"window": signal.window(), "f": streams.framer((1, 12), 20, 4, prefill=True)}
    assert len(cut_model(model_of(prefilled)).pieces) == 1


def test_mutated_options_end_in_a_graph_or_in_one_clear_error() -> None:
    rng = np.random.default_rng(5)
    content = bytes(flexbuffers.Dumps({"frame_size": 20, "frame_step": 4, "prefill": True}))
    read = 0
    for _ in range(300):
        changed = np.frombuffer(content, np.uint8).copy()
        changed[rng.integers(0, changed.size)] = rng.integers(0, 256)
        try:
            imported(streams.framer((1, 12), 20, 4), raw(changed.tobytes()))
            read += 1
        except TinyflowError as error:
            assert "SignalFramer" in error.message
    assert 0 < read < 300


def test_tables_are_those_of_the_reference() -> None:
    assert log_segments()[[1, 2, 64, 127, 128, 129]].tolist() == [224, 442, 5568, 142, 0, 0]
    assert twiddles(4, DType.INT16, inverse=False).tolist() == [
        [32767, 0],
        [0, -32767],
        [-32767, 0],
        [0, 32767],
    ]


def test_a_window_is_read_as_it_is_in_the_file() -> None:
    graph = import_model(model_of({"w": signal.window(shift=9)}), Path("w.tflite"), name="w")
    assert isinstance(graph.operators[0], SignalWindow)
    assert graph.operators[0].shift == 9


def test_a_front_end_of_integers_may_end_in_float32() -> None:
    b = TfliteBuilder()
    inputs, (y,) = signal.logarithm(8)(b, np.random.default_rng(0))
    wide, scaled = b.tensor((8,), "float32"), b.tensor((8,), "float32")
    b.operator("CAST", [y], [wide])
    b.operator("MUL", [wide, b.tensor((), "float32", data=0.1)], [scaled])
    graph = import_model(b.build(inputs, [scaled]), Path("front.tflite"), name="front")
    assert [computes_in_float32(graph, operator) for operator in graph.operators] == [
        False,
        False,
        True,
    ]


def test_transforms_of_float32_are_reported_as_such() -> None:
    for dtype, due in (("float32", True), ("int16", False)):
        graph = import_model(model_of({"f": signal.fft(8, dtype)}), Path("f.tflite"), name="f")
        assert computes_in_float32(graph, graph.operators[0]) is due
