# SPDX-License-Identifier: Apache-2.0
"""C names and titles from whatever text a model brings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyflow.codegen.c_names import c_identifier, layer_title, model_name
from tinyflow.resources import FIRMWARE, TEMPLATES


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("MobileNet v2 (0.35)", "mobilenet_v2_0_35"),
        ("__kws__", "kws"),
        ("3layers", "model_3layers"),
        ("double", "model_double"),
        ("Main", "model_main"),
        ("tinyflow_harness", "model_tinyflow_harness"),
        ("stdint", "model_stdint"),
        ("math", "model_math"),
        ("模型", "model"),
        ("", "model"),
        ("../../etc/passwd", "etc_passwd"),
        ('x"; system("rm") /*', "x_system_rm"),
        ("a" * 40, "a" * 32),
    ],
)
def test_names(text: str, name: str) -> None:
    assert c_identifier(text) == name


@given(st.text())
def test_any_text_becomes_a_c_identifier(text: str) -> None:
    name = c_identifier(text)
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name)
    assert c_identifier(name) == name or name.startswith("model_")


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/kws v1.2.tflite", "kws_v1_2"), (".tflite", "tflite"), ("..", "model")],
)
def test_model_names(path: str, name: str) -> None:
    assert model_name(Path(path)) == name


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("conv1;conv1/bias;relu", "conv1"),
        (";second", "second"),
        ("two\nlines\x1b[31m", "twolines[31m"),
        ("left\u202eright", "leftright"),
        ("größe 模型", "größe 模型"),
        ("", "unnamed"),
        ("\n;\r", "unnamed"),
        ("x" * 81, "x" * 79 + "…"),
    ],
)
def test_titles(name: str, title: str) -> None:
    assert layer_title(name) == title


@given(st.text())
def test_any_name_becomes_a_short_printable_title(name: str) -> None:
    title = layer_title(name)
    assert title
    assert title.isprintable()
    assert len(title) <= 80


def test_no_file_has_the_include_guard_of_a_model() -> None:
    """A model may be called like a kernel's file: `dense` beside `tinyflow_dense.h`."""
    templates = ("model.h.j2", "weights.h.j2", "tflite.h.j2")
    headers = [TEMPLATES / "model" / name for name in templates]
    assert all("#ifndef TINYFLOW_MODEL_{{ NAME }}_" in each.read_text() for each in headers)
    others = [*FIRMWARE.rglob("*.[hc]"), *TEMPLATES.rglob("*.j2")]
    taken = [each.name for each in others if "TINYFLOW_MODEL_" in each.read_text()]
    assert sorted(taken) == sorted(templates)
