# SPDX-License-Identifier: Apache-2.0
"""The oracle's process: the same bytes as in the command's own, confined, and safe to lose."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.support.mixed_model import mixed_model
from tests.support.small_model import small_model
from tests.support.stateful_model import stateful_model
from tinyflow.datasets.accuracy import int8_predictions
from tinyflow.errors import InputError, UnsupportedError
from tinyflow.oracle import process
from tinyflow.oracle.oracle import DirectOracle, Oracle
from tinyflow.oracle.process import litert_predictions
from tinyflow.sandbox.landlock import landlock_version
from tinyflow.sandbox.seccomp import has_seccomp


def _pid(oracle: Oracle) -> int:
    return oracle._process._process.pid


def _inputs(content: bytes, count: int) -> list[tuple[np.ndarray, ...]]:
    random = np.random.default_rng(0)
    expected = DirectOracle(content)._expected
    return [
        tuple(random.integers(0, 2, shape).astype(dtype) for dtype, shape in expected)
        for _ in range(count)
    ]


@pytest.mark.parametrize("make", [small_model, mixed_model, stateful_model])
def test_the_same_bytes_as_without_the_process(make: object) -> None:
    content = make()  # type: ignore[operator]
    apart, direct = Oracle(content), DirectOracle(content)
    assert apart.name == direct.name
    for inputs in _inputs(content, 3):
        for found, due in zip(apart.run(*inputs), direct.run(*inputs), strict=True):
            assert (found.dtype, found.shape) == (due.dtype, due.shape)
            np.testing.assert_array_equal(found, due)


def test_all_models_share_one_process_and_leave_it() -> None:
    first, second = Oracle(small_model()), Oracle(mixed_model())
    assert _pid(first) == _pid(second)
    handle = first._handle
    del first
    inputs = _inputs(mixed_model(), 1)[0]
    second.run(*inputs)
    with pytest.raises(UnsupportedError, match="KeyError"):
        second._process.ask({"do": "run", "handle": handle}, inputs)


@pytest.mark.skipif(not (landlock_version() and has_seccomp()), reason="the kernel has neither")
def test_it_is_confined() -> None:
    status = Path(f"/proc/{_pid(Oracle(small_model()))}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


def _calls_itself() -> bytes:
    """A model whose first operator initialises the model by running it: endless recursion."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(small_model()))
    code = schema.OperatorCodeT()
    code.builtinCode = schema.BuiltinOperator.CALL_ONCE
    code.deprecatedBuiltinCode = 127
    model.operatorCodes.append(code)
    call = schema.OperatorT()
    call.opcodeIndex = len(model.operatorCodes) - 1
    call.inputs, call.outputs = [], []
    call.builtinOptionsType = schema.BuiltinOptions.CallOnceOptions
    call.builtinOptions = schema.CallOnceOptionsT()
    call.builtinOptions.initSubgraphIndex = 0
    model.subgraphs[0].operators.insert(0, call)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def test_a_crash_of_the_kernels_is_one_error_and_the_next_model_runs() -> None:
    inputs = _inputs(small_model(), 1)[0]
    with pytest.raises(UnsupportedError, match="reference kernels crashed with SIG"):
        Oracle(_calls_itself()).run(*inputs)
    Oracle(small_model()).run(*inputs)


@pytest.mark.parametrize("end", [signal.SIGSEGV, signal.SIGKILL])
def test_an_end_between_questions(end: signal.Signals) -> None:
    oracle = Oracle(small_model())
    os.kill(_pid(oracle), end)
    inputs = _inputs(small_model(), 1)[0]
    with pytest.raises(UnsupportedError, match=f"crashed with {end.name}"):
        oracle.run(*inputs)
    with pytest.raises(UnsupportedError, match="has ended"):
        oracle.run(*inputs)
    Oracle(small_model()).run(*inputs)


def test_time_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    oracle = Oracle(small_model())
    os.kill(_pid(oracle), signal.SIGSTOP)
    monkeypatch.setattr(process, "_TIMEOUT", 0.5)
    with pytest.raises(UnsupportedError, match=r"longer than 0\.5 s"):
        oracle.run(*_inputs(small_model(), 1)[0])


def test_errors_keep_their_kind() -> None:
    with pytest.raises(InputError, match=r"takes \d input"):
        Oracle(small_model()).run()
    with pytest.raises(InputError, match=r"not a \.tflite model"):
        Oracle(b"\x1c\0\0\0TFL3" + bytes(40))


def test_predictions_are_those_without_the_process() -> None:
    content = small_model()
    samples = [np.concatenate(column) for column in zip(*_inputs(content, 5), strict=True)]
    for found, due in zip(
        litert_predictions(content, samples), int8_predictions(content, samples), strict=True
    ):
        np.testing.assert_array_equal(found, due)
