# SPDX-License-Identifier: Apache-2.0
"""Networks that take a stream frame by frame: exact over it on both cores, and after a reset."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

import tinyflow
from tests.support.cores import cortex_m0plus
from tests.support.svdf_network import FEATURES, svdf_network
from tinyflow.boards import load_board
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.simulator import Simulator
from tinyflow.oracle.oracle import Oracle
from tinyflow.settings.project_file import KernelSet
from tinyflow.tools.build_folder import read_build

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)

FRAMES = 30
#: Of the stream, after which the state is reset.
MIDDLE = 12


@pytest.fixture(scope="module")
def keyword_spotter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("svdf") / "spotter.tflite"
    path.write_bytes(svdf_network())
    return path


@pytest.fixture(scope="module")
def lstm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stateful LSTM layers over four steps at a time, quantised."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("TensorFlow is not installed")
    import keras
    from keras import layers

    from tinyflow.convert.convert import quantize
    from tinyflow.datasets.dataset import Dataset

    folder = tmp_path_factory.mktemp("lstm")
    keras.utils.set_random_seed(2)
    frames = keras.Input(batch_shape=(1, 4, 10))
    x = layers.LSTM(24, stateful=True, return_sequences=True)(frames)
    x = layers.LSTM(16, stateful=True)(x)
    model = keras.Model(frames, layers.Dense(5, activation="softmax")(x))
    model.save(folder / "stream.keras")
    samples = np.random.default_rng(4).normal(size=(24, 4, 10)).astype(np.float32)
    output = folder / "stream.tflite"
    return quantize(folder / "stream.keras", Dataset((samples,)), output_path=output).path


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m0plus"])
@pytest.mark.parametrize(
    ("model", "shape"), [("keyword_spotter", (1, 1, FEATURES)), ("lstm", (1, 4, 10))]
)
def test_a_stream_is_exact_and_begins_again_after_a_reset(
    model: str, shape: tuple[int, ...], core: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(model)
    board = cortex_m0plus(tmp_path) if core == "cortex-m0plus" else load_board("stm32l4r5")
    # Without a table of costs: of generated kernels for an M0+ there is no choice.
    kernels: KernelSet = "generated" if core == "cortex-m0plus" else "auto"
    report = tinyflow.build(
        path, board=board, output=tmp_path / "build", vectors=FRAMES, kernels=kernels
    )
    assert report.board.core == core
    assert (report.exact.vectors, report.exact.mismatches) == (FRAMES, 0)
    stream = np.random.default_rng(5).integers(-128, 128, (FRAMES, *shape), np.int8)
    oracle = Oracle(path.read_bytes())
    due = np.stack([oracle.run(frame)[0] for frame in stream])
    with Simulator(read_build(tmp_path / "build").elf, board) as simulator:
        client = HarnessClient(simulator)
        for count in (MIDDLE, FRAMES):
            found = np.stack([client.run(frame)[0] for frame in stream[:count]])
            np.testing.assert_array_equal(found, due[:count])
            client.reset()


@pytest.mark.parametrize(
    ("model", "shape"), [("keyword_spotter", (1, 1, FEATURES)), ("lstm", (1, 4, 10))]
)
def test_what_went_before_changes_the_outputs(
    model: str, shape: tuple[int, ...], request: pytest.FixtureRequest
) -> None:
    """Else the test above would pass without a state."""
    content = request.getfixturevalue(model).read_bytes()
    frame = np.random.default_rng(5).integers(-128, 128, shape, np.int8)
    oracle = Oracle(content)
    found = [oracle.run(frame)[0].tobytes() for _ in range(4)]
    assert len(set(found)) == len(found)
