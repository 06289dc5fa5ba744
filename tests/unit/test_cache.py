# SPDX-License-Identifier: Apache-2.0
"""The cache: whole entries or none, keys that distinguish inputs, and no files of others."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinyflow.errors import InputError
from tinyflow.storage.cache import Cache, ContentHash

KEY = "ab" * 32
LONG_AGO = time.time() - 61 * 24 * 3600


def make(text: str):  # type: ignore[no-untyped-def]
    return lambda folder: (folder / "result").write_text(text)


def age(path: Path) -> None:
    os.utime(path, (LONG_AGO, LONG_AGO))


def test_an_entry_is_made_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    first = cache.fetch(KEY, make("one"))
    second = cache.fetch(KEY, make("two"))
    assert first == second
    assert (second / "result").read_text() == "one"


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        Cache(tmp_path).fetch(KEY, fail)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert (Cache(tmp_path).fetch(KEY, make("one")) / "result").is_file()


def test_of_two_makers_the_first_wins(tmp_path: Path) -> None:
    cache = Cache(tmp_path)

    def slow(folder: Path) -> None:
        cache.fetch(KEY, make("first"))
        (folder / "result").write_text("second")

    entry = cache.fetch(KEY, slow)
    assert (entry / "result").read_text() == "first"
    assert list(entry.parent.iterdir()) == [entry]


def test_unused_entries_go_and_used_ones_stay(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    used, unused = cache.fetch("aa" * 32, make("")), cache.fetch("bb" * 32, make(""))
    killed = unused.parent / ".making-killed"
    killed.mkdir()
    for entry in (used, unused, killed):
        age(entry)
    cache.fetch("aa" * 32, make(""))
    cache.fetch("cc" * 32, make(""))
    assert used.is_dir()
    assert not unused.exists()
    assert not killed.exists()


@pytest.mark.parametrize("name", ["letters/old", "ab/thesis", "ab/abcd", f"xy/{KEY}"])
def test_files_of_others_in_the_same_folder_stay(tmp_path: Path, name: str) -> None:
    """TINYFLOW_CACHE may name a folder that holds something else."""
    foreign = tmp_path / name
    foreign.mkdir(parents=True)
    (foreign / "text").write_text("years of work")
    age(foreign)
    Cache(tmp_path).fetch(KEY, make(""))
    assert (foreign / "text").read_text() == "years of work"


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="the cache cannot be written") as caught:
        Cache(tmp_path / "file").fetch(KEY, make(""))
    assert "TINYFLOW_CACHE" in str(caught.value)


def test_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINYFLOW_CACHE", str(tmp_path / "named"))
    assert Cache().root == tmp_path / "named"
    monkeypatch.delenv("TINYFLOW_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert Cache().root == tmp_path / "tinyflow"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Cache().root == tmp_path / ".cache" / "tinyflow"


def test_keys_tell_values_apart(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"a")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one").write_bytes(b"a")
    values: list[tuple[object, ...]] = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        (b"abc",),
        (1,),
        ("1",),
        (1.0,),
        (True,),
        (None,),
        (),
        (np.zeros(2, np.int8),),
        (np.zeros(2, np.uint8),),
        (np.zeros((2, 1), np.int8),),
        (np.zeros(1, np.int16),),
        (tmp_path / "one",),
        (tmp_path / "folder",),
        (b"a",),
    ]
    assert len({ContentHash(*value).key() for value in values}) == len(values)
    assert len({ContentHash(*value).key() for value in values * 2}) == len(values)


def test_a_files_key_is_its_content(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"a")
    (tmp_path / "two").write_bytes(b"a")
    before = ContentHash(tmp_path / "one").key()
    assert before == ContentHash(tmp_path / "two").key()
    (tmp_path / "one").write_bytes(b"b")
    assert before != ContentHash(tmp_path / "one").key()


# ----------------------------------------------------------------------- damaged entries


def warned() -> tuple[list[str], Callable[[Path], Cache]]:
    """Warnings, and what makes a cache that adds to them."""
    warnings: list[str] = []
    return warnings, lambda root: Cache(root, warnings.append)


def several(folder: Path) -> None:
    (folder / "figures.json").write_text('{"bytes": 80}')
    (folder / "deep").mkdir()
    (folder / "deep" / "outputs.npz").write_bytes(bytes(100))


def _emptied(entry: Path) -> None:
    for path in entry.rglob("*"):
        if path.is_file():
            path.unlink()


def _linked(entry: Path) -> None:
    (entry / "figures.json").rename(entry.parent / "moved")
    (entry / "figures.json").symlink_to(entry.parent / "moved")


def _of_an_earlier_version(entry: Path) -> None:
    (entry / ".digest").unlink()
    (entry / "figures.json").write_text('{"bytes": 99}')


DAMAGE: dict[str, Callable[[Path], object]] = {
    "edited": lambda entry: (entry / "figures.json").write_text('{"bytes": 99}'),
    "emptied": lambda entry: (entry / "figures.json").write_text(""),
    "cut": lambda entry: (entry / "deep" / "outputs.npz").write_bytes(bytes(50)),
    "removed": lambda entry: (entry / "deep" / "outputs.npz").unlink(),
    "added": lambda entry: (entry / "pruned.keras").write_text(""),
    "renamed": lambda entry: (entry / "figures.json").rename(entry / "figure.json"),
    "linked": _linked,
    "nothing left": _emptied,
    "no digest": lambda entry: (entry / ".digest").unlink(),
    "another digest": lambda entry: (entry / ".digest").write_bytes(b"\xff" * 64),
    "of an earlier version": _of_an_earlier_version,
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_entry_is_made_anew_with_a_warning(case: str, tmp_path: Path) -> None:
    warnings, cache = warned()
    entry = cache(tmp_path).fetch(KEY, several)
    DAMAGE[case](entry)
    again = cache(tmp_path).fetch(KEY, several)
    assert again == entry
    assert (entry / "figures.json").read_text() == '{"bytes": 80}'
    assert (entry / "deep" / "outputs.npz").read_bytes() == bytes(100)
    assert warnings == [f"{entry}: damaged; made anew"]
    assert cache(tmp_path).fetch(KEY, make("other")) == entry
    assert len(warnings) == 1


def test_a_file_in_place_of_an_entry(tmp_path: Path) -> None:
    _, cache = warned()
    entry = cache(tmp_path).fetch(KEY, several)
    shutil.rmtree(entry)
    entry.write_text("")
    assert (cache(tmp_path).fetch(KEY, several) / "figures.json").is_file()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    def full(folder: Path) -> None:
        (folder / "half").write_text("")
        raise OSError(number, os.strerror(number))

    with pytest.raises(InputError, match="the disk is full") as caught:
        Cache(tmp_path).fetch(KEY, full)
    assert str(tmp_path) in caught.value.message
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_another_error_of_what_makes_an_entry_passes(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise OSError(errno.EIO, "of the model's file")

    with pytest.raises(OSError, match="of the model's file"):
        Cache(tmp_path).fetch(KEY, fail)


# ------------------------------------------------------------------------------ workspaces


def test_a_workspace_keeps_what_was_sealed(tmp_path: Path) -> None:
    warnings, cache = warned()
    with cache(tmp_path).workspace("a") as workspace:
        (workspace.folder / "x.o").write_text("object")
        workspace.seal()
    with cache(tmp_path).workspace("b") as workspace:
        assert list(workspace.folder.iterdir()) == []
    with cache(tmp_path).workspace("a") as workspace:
        assert (workspace.folder / "x.o").read_text() == "object"
    with cache(tmp_path).workspace("a") as workspace:  # it was not sealed again
        assert list(workspace.folder.iterdir()) == []
    assert warnings == []


@pytest.mark.parametrize("case", ["edited", "added", "linked", "seal"])
def test_a_workspace_that_somebody_changed_is_emptied(tmp_path: Path, case: str) -> None:
    warnings, cache = warned()
    with cache(tmp_path).workspace("a") as workspace:
        (workspace.folder / ".sconsign").write_text("pickled")
        workspace.seal()
    if case == "edited":
        (workspace.folder / ".sconsign").write_text("poisoned")
    elif case == "added":
        (workspace.folder / "site_scons").mkdir()
        (workspace.folder / "site_scons" / "site_init.py").write_text("poisoned")
    elif case == "linked":
        (workspace.folder / "src").symlink_to(tmp_path)
    else:
        (workspace.folder.parent / ".digest").write_bytes(b"\xff")
    with cache(tmp_path).workspace("a") as workspace:
        assert list(workspace.folder.iterdir()) == []
    assert len(warnings) == 1
    assert "damaged; made anew" in warnings[0]


def test_a_workspace_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    with Cache(tmp_path).workspace("a") as workspace:
        (workspace.folder / "x.o").write_text("object")
        workspace.seal()
    (tmp_path / "workspaces").chmod(0o777)
    with Cache(tmp_path).workspace("a") as workspace:
        assert not workspace.folder.is_relative_to(tmp_path)
        assert list(workspace.folder.iterdir()) == []
        workspace.seal()
    assert not workspace.folder.exists()


def test_a_workspace_has_a_name_that_programs_can_work_in(tmp_path: Path) -> None:
    with Cache(tmp_path / "it's").workspace("a") as workspace:
        assert "'" not in str(workspace.folder)


def test_of_many_workspaces_the_last_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tinyflow.storage.cache._MOST_WORKSPACES", 2)
    places = []
    for index, name in enumerate("abcd"):
        with Cache(tmp_path).workspace(name) as workspace:
            places.append(workspace.folder.parent)
            moment = time.time() - 100 + index
            os.utime(places[-1], (moment, moment))
    assert [place.exists() for place in places] == [False, False, True, True]


def test_an_unused_workspace_goes(tmp_path: Path) -> None:
    with Cache(tmp_path).workspace("a") as unused:
        pass
    age(unused.folder.parent)
    with Cache(tmp_path).workspace("b"):
        pass
    assert not unused.folder.exists()
