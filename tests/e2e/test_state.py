# SPDX-License-Identifier: Apache-2.0
"""A model with a state on the device: kept between inferences, reset, reported, bisected."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow as tf
from tests.support.command_line import CommandLine
from tests.support.stateful_model import FEATURES, FRAMES, UNITS, stateful_model
from tinyflow.boards import load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.oracle.oracle import Oracle
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

SAMPLES = 12
BOARD = "stm32f407"
#: SVDF's int16 state, the variable, hidden state and cell, each rounded up to 8 bytes.
STATE_BYTES = 40 + 16 + 8 + 8


def samples() -> np.ndarray:
    return np.random.default_rng(5).integers(-128, 128, (SAMPLES, 1, FEATURES), np.int8)


def fresh_outputs() -> np.ndarray:
    """The oracle's output for each sample with the state as it is after a reset."""
    return np.stack([Oracle(stateful_model()).run(sample)[0] for sample in samples()])


def sequence_outputs() -> np.ndarray:
    oracle = Oracle(stateful_model())
    return np.stack([oracle.run(sample)[0] for sample in samples()])


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("state")
    (folder / "stream.tflite").write_bytes(stateful_model())
    np.savez(
        folder / "test.npz",
        x=samples()[:, 0],
        y=fresh_outputs()[:, 0].argmax(axis=-1),
    )
    tf.build(
        folder / "stream.tflite",
        board=BOARD,
        output=folder / "build",
        test=folder / "test.npz",
    )
    return folder / "build"


def test_the_oracle_keeps_its_state_or_this_file_tests_nothing() -> None:
    fresh, sequence = fresh_outputs(), sequence_outputs()
    np.testing.assert_array_equal(fresh[0], sequence[0])
    assert all(np.any(fresh[index] != sequence[index]) for index in range(1, SAMPLES))


def test_the_state_is_kept_until_reset(build: Path) -> None:
    with Simulator(read_build(build).elf, load_board(BOARD)) as simulator:
        client = HarnessClient(simulator)
        for _ in range(2):
            found = np.stack([client.run(sample)[0] for sample in samples()])
            np.testing.assert_array_equal(found, sequence_outputs())
            client.reset()
        for sample, due in zip(samples(), fresh_outputs(), strict=True):
            np.testing.assert_array_equal(client.run(sample)[0], due)
            client.reset()


def test_a_build_reports_and_declares_the_state(build: Path) -> None:
    report = read_build(build).report
    assert report.exact.mismatches == 0
    assert report.exact.vectors == 20
    ram = report.memory.ram
    assert ram.state == STATE_BYTES
    assert ram.total == ram.arena + ram.state + ram.data + ram.bss + ram.stack
    plan = json.loads((build / "plan.json").read_text())
    assert (plan["state"], plan["state_bytes"]) == ("stream_state", STATE_BYTES)
    header = (build / "lib" / "stream" / "stream.h").read_text()
    assert f"#define STREAM_STATE_SIZE {STATE_BYTES}u" in header
    assert "The model has a state: stream_invoke() goes on from where the last call" in header


def test_test_samples_do_not_meet_the_state_of_others(build: Path) -> None:
    accuracy = read_build(build).report.accuracy
    assert accuracy is not None
    # The labels are the oracle's own predictions, sample by sample.
    assert accuracy.samples == SAMPLES
    assert accuracy.device == 100.0
    labels = fresh_outputs()[:, 0].argmax(axis=-1)
    assert np.any(labels != sequence_outputs()[:, 0].argmax(axis=-1))


@pytest.mark.parametrize("options", [[], ["--reset-each"]])
def test_run_is_a_sequence_unless_told_to_reset(
    options: list[str], build: Path, tmp_path: Path, tinyflow: CommandLine
) -> None:
    np.save(tmp_path / "x.npy", samples()[:, 0])
    result = tinyflow(
        *("run", build, "--inputs", tmp_path / "x.npy", "--outputs", tmp_path / "y.npy"), *options
    )
    assert result.code == 0
    due = fresh_outputs() if options else sequence_outputs()
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), due)


def test_bisect_compares_outputs_and_states(build: Path, tinyflow: CommandLine) -> None:
    result = tinyflow("bisect", build, "--inputs", build / "vectors" / "input_0.npy", "--json")
    assert result.code == 0
    elements = {layer["operator"]: layer["elements"] for layer in result.json["layers"]}
    assert elements["SVDF"] == UNITS + 5 * UNITS
    assert elements["ASSIGN_VARIABLE"] == FRAMES * UNITS
    assert elements["UNIDIRECTIONAL_SEQUENCE_LSTM"] == (FRAMES + 2) * UNITS


def test_bisect_in_the_middle_of_a_sequence(
    build: Path, tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("bisect", build, "--inputs", build / "vectors" / "input_0.npy", "--sample", 3)
    assert tinyflow(*arguments).code == 0
    monkeypatch.setattr(HarnessClient, "run", _run_after_a_reset)
    assert tinyflow(*arguments).code == 8  # the oracle has gone on, the device has not


def _run_after_a_reset(client: HarnessClient, *inputs: np.ndarray) -> None:
    client.reset()
    client.write_input(0, inputs[0])
    client.invoke()


def test_bisect_of_a_sample_that_is_not_there(build: Path, tinyflow: CommandLine) -> None:
    tinyflow.refused(
        3,
        *("bisect", build, "--inputs", build / "vectors" / "input_0.npy", "--sample", "20"),
        says=("there is no sample 20: the files hold 20",),
    )


def test_bisect_finds_a_wrong_state(
    build: Path, tmp_path: Path, tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensor = Oracle.tensor

    def wrong(oracle: Oracle, index: int) -> np.ndarray:
        found = tensor(oracle, index)
        return found + 1 if found.dtype == np.int16 and found.size == UNITS else found

    monkeypatch.setattr(Oracle, "tensor", wrong)  # of the cell alone
    result = tinyflow("bisect", build, "--inputs", build / "vectors" / "input_0.npy")
    assert result.code == 8
    assert "UNIDIRECTIONAL_SEQUENCE_LSTM 'lstm', is the first that differs: 4 of 20" in result.err


def test_the_renode_suite_begins_each_comparison_with_a_reset(build: Path) -> None:
    suite = (build / "renode" / "stream.robot").read_text()
    body = suite.partition("*** Test Cases ***")[2].partition("*** Keywords ***")[0]
    running = [case for case in body.split("\n\n") if "Run Test Vector" in case]
    assert len(running) == 3
    for case in running:
        assert "Reset Model" in case.partition("Run Test Vector")[0]
