# SPDX-License-Identifier: Apache-2.0
"""Sources of CMSIS-NN."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tinyflow.errors import InputError
from tinyflow.kernels.cmsis_nn import source
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn


def _copy(root: Path, revision: str, *, math_types: str = "") -> Path:
    """A tiny CMSIS-NN: two functions, one of which calls the other."""
    (root / "Include").mkdir(parents=True)
    (root / "Source").mkdir()
    (root / "Include" / "arm_nnfunctions.h").write_text(f"/* $Revision:    {revision} */\n")
    (root / "Include" / "arm_nn_math_types.h").write_text(math_types)
    (root / "Source" / "arm_outer.c").write_text(
        "/* not arm_other(): a comment */\n"
        "arm_cmsis_nn_status arm_outer(const int8_t *x)\n{\n    return arm_inner(x);\n}\n"
    )
    (root / "Source" / "arm_inner.c").write_text("void arm_inner(int8_t *x)\n{\n}\n")
    (root / "Source" / "arm_other.c").write_text("int32_t *arm_other(void)\n{\n}\n")
    return root


@pytest.fixture(autouse=True)
def _no_packs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CMSIS_PACK_ROOT", str(tmp_path / "packs"))
    monkeypatch.delenv("TINYFLOW_CMSIS_NN", raising=False)


def test_the_named_folder_comes_first(tmp_path: Path) -> None:
    cmsis = find_cmsis_nn(_copy(tmp_path / "mine", "V.18.0.0"))
    assert (cmsis.version, cmsis.origin) == ("7.0.0", "folder")


def test_the_environment_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYFLOW_CMSIS_NN", str(_copy(tmp_path / "mine", "V.11.2.0")))
    assert find_cmsis_nn().version == "4.0.0"


def test_then_the_newest_pack(tmp_path: Path) -> None:
    packs = tmp_path / "packs" / "ARM" / "CMSIS-NN"
    _copy(packs / "6.0.0", "V.16.0.0")
    _copy(packs / "7.0.0", "V.18.0.0")
    cmsis = find_cmsis_nn()
    assert (cmsis.version, cmsis.origin) == ("7.0.0", "pack")


@pytest.mark.skipif(importlib.util.find_spec("bakenn") is None, reason="bakenn is not installed")
def test_then_bakenn() -> None:
    cmsis = find_cmsis_nn()
    assert (cmsis.version, cmsis.origin) == ("4.0.0", "bakenn")
    assert not cmsis.has("arm_elementwise_add_s8")
    assert "cmsis_compiler.h" in cmsis.headers()
    names = [path.name for path in cmsis.closure(["arm_convolve_wrapper_s8"])]
    assert "arm_convolve_1x1_s8_fast.c" in names
    assert "arm_nn_mat_mult_nt_t_s8.c" in names
    assert "arm_max_pool_s8.c" not in names


def test_then_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_bakenn", lambda: None)
    cmsis = find_cmsis_nn()
    assert (cmsis.version, cmsis.origin, cmsis.root) == ("7.0.0", "lib_deps", None)
    assert cmsis.has("arm_softmax_s8")


def test_only_what_is_called_is_needed(tmp_path: Path) -> None:
    cmsis = find_cmsis_nn(_copy(tmp_path / "mine", "V.18.0.0"))
    names = [path.name for path in cmsis.closure(["arm_outer"])]
    assert names == ["arm_inner.c", "arm_outer.c"]


def test_a_folder_without_cmsis_nn(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no CMSIS-NN \(Include/arm_nnfunctions.h is missing\)"):
        find_cmsis_nn(tmp_path)


def test_an_unknown_revision_is_reported_as_it_is(tmp_path: Path) -> None:
    assert find_cmsis_nn(_copy(tmp_path / "mine", "V.99.1.0")).version == "header V.99.1.0"


def test_an_old_release_needs_cmsis_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_bakenn", lambda: None)
    mine = _copy(tmp_path / "mine", "V.11.3.0", math_types='#include "cmsis_compiler.h"\n')
    with pytest.raises(InputError, match=r"needs CMSIS-Core's cmsis_compiler\.h"):
        find_cmsis_nn(mine)
