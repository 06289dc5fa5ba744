# SPDX-License-Identifier: Apache-2.0
"""A bounded run of the fuzzer; `benchmarks/fuzz.py` runs it for longer."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.conformance import detection, state, streams
from tests.conformance.driver import model_of
from tests.conformance.int16 import CASES
from tests.fuzz.compile import compile_file
from tests.fuzz.mutate import raw, structured
from tests.support.audio_front_end import audio_front_end
from tests.support.control_flow import branches, loop
from tests.support.mixed_model import mixed_model
from tests.support.open_batch import flattened
from tests.support.small_model import float_model, small_model
from tests.support.stateful_model import stateful_model


def _int16_model() -> bytes:
    """A layer of each kind on int16 activations."""
    kinds = ("conv", "depthwise", "fully_connected_int32", "max_pool_same", "mul_channels", "pad")
    functions = ("softmax", "tanh_plain", "leaky_relu", "mean_plane", "quantize_to_int8")
    return model_of({name: CASES[f"int16_{name}"] for name in (*kinds, *functions)})


def _custom_model() -> bytes:
    """Custom operators with and without a state."""
    kinds = ("framer", "overlap add", "delay", "stacker", "subtraction")
    return model_of(
        {kind: streams.CASES[kind] for kind in kinds}
        | {"detection": detection.CASES["regular"], "buffer": state.CASES["circular buffer"]}
    )


@pytest.mark.parametrize(
    "model",
    [
        *(small_model, mixed_model, stateful_model, _int16_model, float_model, flattened),
        *(audio_front_end, _custom_model, branches, partial(loop, 3)),
    ],
)
@pytest.mark.parametrize("mutate", [raw, structured])
def test_a_damaged_model_ends_in_c_or_in_one_clear_error(
    mutate: Callable[[bytes, random.Random], bytes],
    model: Callable[[], bytes],
    tmp_path: Path,
) -> None:
    path = tmp_path / "damaged.tflite"
    content = model()
    ends: Counter[str] = Counter()
    for seed in range(250):
        path.write_bytes(mutate(content, random.Random(seed)))
        ends[compile_file(path)] += 1
    # Both ways out are met, or the mutations test nothing.
    assert ends["InputError"] > 0
    assert ends["built"] > 0


def test_a_damaged_keras_model_is_read_or_ends_in_one_clear_error(tmp_path: Path) -> None:
    """Read in a new process, since it forks: other tests may have started TensorFlow here."""
    pytest.importorskip("keras")
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz_models.py"
    done = subprocess.run(
        [sys.executable, str(script), "--count", "40", "--keep", str(tmp_path / "kept")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    # Both ways out are met, or the mutations test nothing.
    assert "InputError" in done.stdout
    assert "read" in done.stdout
