# SPDX-License-Identifier: Apache-2.0
"""The loss that a Keras file was compiled with."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import pytest

from tinyflow.convert.declared_loss import declared_loss
from tinyflow.datasets.task import Loss

keras = pytest.importorskip("keras")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", Loss("mean_squared_error")),
        ("binary_crossentropy", Loss("binary_crossentropy")),
        (
            lambda: keras.losses.BinaryCrossentropy(from_logits=True),
            Loss("binary_crossentropy", from_logits=True),
        ),
        ("huber", Loss("huber")),
        (None, None),
    ],
)
def test_forms(tmp_path: Path, suffix: str, loss: Any, expected: Loss | None) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    if loss is not None:
        model.compile(loss=loss() if callable(loss) else loss)
    path = tmp_path / f"model.{suffix}"
    model.save(path)
    found = declared_loss(path)
    if expected == Loss("mean_squared_error"):
        assert found is not None
        assert found.name in ("mse", "mean_squared_error")
    else:
        assert found == expected


def test_what_says_nothing(tmp_path: Path) -> None:
    assert declared_loss(tmp_path) is None
    (tmp_path / "x.h5").write_bytes(b"nothing")
    assert declared_loss(tmp_path / "x.h5") is None
