# SPDX-License-Identifier: Apache-2.0
"""The loss that a Keras file was compiled with: data in it, which Keras itself never reads here."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from tinyflow.datasets.task import Loss

_LIMIT = 64 << 20
_SHORT = {"bce": "binary_crossentropy", "kld": "kl_divergence", "logcosh": "log_cosh"}


def declared_loss(path: Path) -> Loss | None:
    """The loss of the first output; None if the file says none, or none that Keras names."""
    try:
        config = _compile_config(path)
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile):
        return None
    return _loss(config.get("loss")) if isinstance(config, dict) else None


def _compile_config(path: Path) -> Any:
    if path.is_dir():
        return None
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LIMIT:
                return None
            return json.loads(archive.read("config.json")).get("compile_config")
    import h5py

    with h5py.File(path, "r") as file:
        text = file.attrs.get("training_config")
        return None if text is None else json.loads(text)


def _loss(value: Any) -> Loss | None:
    """A loss as Keras serialises it: a name, an object, or one of those for each output."""
    if isinstance(value, list):
        return _loss(value[0]) if value else None
    if isinstance(value, str):
        return Loss(_snake(value))
    if not isinstance(value, dict):
        return None
    settings = value.get("config")
    if isinstance(settings, str):  # a function
        return Loss(_snake(settings))
    if isinstance(value.get("class_name"), str):
        logits = isinstance(settings, dict) and settings.get("from_logits") is True
        return Loss(_snake(value["class_name"]), logits)
    return _loss(next(iter(value.values()), None)) if "class_name" not in value else None


def _snake(name: str) -> str:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return _SHORT.get(snake, snake)
