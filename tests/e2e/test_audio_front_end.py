# SPDX-License-Identifier: Apache-2.0
"""The audio front end of micro_speech as firmware: exact over frames of any loudness."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import tinyflow as tf
from tests.support.audio_front_end import CHANNELS, SAMPLES, audio_front_end
from tests.support.command_line import CommandLine
from tests.support.cores import cortex_m0plus
from tinyflow.boards import load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.oracle.oracle import Oracle
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
BOARD = "nrf52840"


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("front_end")
    (folder / "front_end.tflite").write_bytes(audio_front_end())
    tf.build(folder / "front_end.tflite", board=BOARD, output=folder / "build")
    return folder / "build"


def frames() -> Iterator[np.ndarray]:
    """Silence, noise and tones from soft to clipping, and samples at the bounds."""
    rng = np.random.default_rng(3)
    time = np.arange(SAMPLES) / 16_000
    for loudness in (0, 1, 3, 30, 300, 3000, 32767):
        yield rng.integers(-loudness, loudness + 1, SAMPLES)
        yield np.round(loudness * np.sin(2 * np.pi * 440 * time))
        yield np.round(loudness * np.sign(np.sin(2 * np.pi * 2500 * time)))
    yield np.full(SAMPLES, -(2**15))
    yield np.full(SAMPLES, 2**15 - 1)
    yield np.where(np.arange(SAMPLES) % 2, -(2**15), 2**15 - 1)
    yield np.zeros(SAMPLES)
    for loudness in (32767, 100, 1, 20_000, 5):
        yield rng.integers(-loudness, loudness + 1, SAMPLES)


def test_a_build_is_exact_and_keeps_the_noise_estimate(build: Path) -> None:
    report = read_build(build).report
    assert report.exact.mismatches == 0
    assert report.exact.bytes == report.exact.vectors * CHANNELS
    assert report.memory.ram.state == CHANNELS * 4


def test_frames_of_any_loudness_are_exact_in_sequence(build: Path) -> None:
    samples = [frame.astype(np.int16)[np.newaxis] for frame in frames()]
    oracle = Oracle(audio_front_end())
    due = [oracle.run(sample)[0] for sample in samples]
    # Else it would not matter that the state is kept.
    assert any(np.any(Oracle(audio_front_end()).run(samples[i])[0] != due[i]) for i in (9, 12, 20))
    assert len({found.tobytes() for found in due}) > len(due) // 2
    with Simulator(read_build(build).elf, load_board(BOARD)) as simulator:
        client = HarnessClient(simulator)
        for _ in range(2):
            for sample, features in zip(samples, due, strict=True):
                np.testing.assert_array_equal(client.run(sample)[0], features)
            client.reset()


def test_bisect_finds_every_layer_equal(build: Path, tinyflow: CommandLine) -> None:
    result = tinyflow("bisect", build, "--inputs", build / "vectors" / "input_0.npy", "--json")
    assert result.code == 0
    operators = [layer["operator"] for layer in result.json["layers"]]
    assert [name for name in operators if name.startswith("Signal")] == [
        "SignalWindow",
        "SignalFftAutoScale",
        "SignalRfft",
        "SignalEnergy",
        "SignalFilterBank",
        "SignalFilterBankSquareRoot",
        "SignalFilterBankSpectralSubtraction",
        "SignalPCAN",
        "SignalFilterBankLog",
    ]


def test_a_build_for_a_core_without_fpu_is_exact(tmp_path: Path) -> None:
    (tmp_path / "front_end.tflite").write_bytes(audio_front_end())
    report = tf.build(
        tmp_path / "front_end.tflite", board=cortex_m0plus(tmp_path), output=tmp_path / "build"
    )
    assert report.exact.mismatches == 0
