"""The output folder: all of a build or what was there before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import snapshot
from tinyflow.errors import BudgetError, BuildError, DeviceError, ExactnessError, InputError
from tinyflow.pipeline.output import MARKER, check_output, replacing


@pytest.fixture
def former(tmp_path: Path) -> Path:
    """A finished build in `out`."""
    folder = tmp_path / "out"
    with replacing(folder):
        (folder / "lib").mkdir()
        (folder / "lib" / "model.c").write_text("former")
        (folder / "link").symlink_to("lib")
    return folder


def rewrite(folder: Path) -> None:
    (folder / "lib" / "model.c").write_text("half")
    (folder / "new").write_text("half")


def test_a_build_appears(former: Path) -> None:
    assert (former / MARKER).is_file()
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_second_build_starts_from_the_first(former: Path) -> None:
    with replacing(former) as folder:
        assert (folder / "lib" / "model.c").read_text() == "former"
        rewrite(folder)
    assert (former / "new").is_file()
    assert [path.name for path in former.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("error", [BuildError("x"), InputError("x"), KeyboardInterrupt()])
def test_a_failure_puts_the_former_build_back(former: Path, error: BaseException) -> None:
    before = snapshot(former.parent)
    with pytest.raises(type(error)), replacing(former) as folder:
        rewrite(folder)
        raise error
    assert snapshot(former.parent) == before
    assert (former / "link").is_symlink()


def test_a_first_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(BuildError), replacing(tmp_path / "build" / "deep" / "out") as folder:
        (folder / "half").write_text("")
        raise BuildError("x")
    assert list(tmp_path.iterdir()) == []


def test_a_first_failure_leaves_an_empty_folder_of_the_users(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(BuildError), replacing(tmp_path / "mine" / "out") as folder:
        (folder / "half").write_text("")
        raise BuildError("x")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    with pytest.raises(BuildError), replacing(tmp_path / "mine"):
        raise BuildError("x")
    assert (tmp_path / "mine").is_dir()
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize("error", [BudgetError("x"), DeviceError("x"), ExactnessError("x")])
def test_after_some_failures_the_new_build_stays(former: Path, error: Exception) -> None:
    with pytest.raises(type(error)), replacing(former) as folder:
        rewrite(folder)
        raise error
    assert (former / "new").is_file()
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_killed_build_is_undone_by_the_next(former: Path) -> None:
    before = snapshot(former)
    # what `replacing` has done when it is killed inside the block
    shutil.copytree(former, former.with_name(".out.previous"), symlinks=True)
    rewrite(former)
    check_output(former)
    assert snapshot(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_build_killed_while_copying_is_forgotten(former: Path) -> None:
    before = snapshot(former)
    (former.with_name(".out.copying")).mkdir()
    (former.with_name(".out.copying") / MARKER).touch()
    check_output(former)
    assert snapshot(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_build_killed_while_forgetting_the_former_stays(
    former: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a former build must not come back over a whole new one."""
    real = shutil.rmtree

    def killed(path: Path, **options: Any) -> None:
        real(path / "lib", **options)
        raise SystemExit

    with pytest.raises(SystemExit), replacing(former) as folder:
        rewrite(folder)
        monkeypatch.setattr(shutil, "rmtree", killed)
    monkeypatch.undo()
    check_output(former)
    assert (former / "new").is_file()
    assert (former / "lib" / "model.c").read_text() == "half"
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_foreign_folders_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "text").write_text("years of work")
    with pytest.raises(InputError, match="thesis: holds files that tinyflow did not make"):
        check_output(tmp_path / "thesis")
    with pytest.raises(InputError, match="text: is a file, not a folder"):
        check_output(tmp_path / "thesis" / "text")
    with pytest.raises(InputError, match="cannot be an output folder"):
        check_output(Path("/"))
    assert (tmp_path / "thesis" / "text").read_text() == "years of work"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="cannot be written") as caught,
        replacing(tmp_path / "file" / "out"),
    ):
        raise AssertionError
    assert "--output" in str(caught.value)
    assert snapshot(tmp_path) == {"file": b""}


@pytest.mark.parametrize(
    "name", ["$HOME", 'a"b', "a'b", "`touch x`", "back\\", "a,b", "a;b", "a&b", "(a)", "a\nb"]
)
def test_a_path_that_a_shell_would_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot build in a folder whose path holds") as caught:
        check_output(tmp_path / name / "out")
    assert "--output" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a b", "größe 模型", "[red]", "{{ 7*7 }}", "100%", "#1", "a+b=c~@"]
)
def test_other_paths_are_taken(tmp_path: Path, name: str) -> None:
    check_output(tmp_path / name / "out")
