"""The cache: whole entries or none, keys that distinguish inputs, and no files of others."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tinyflow.cache import Cache, ContentHash
from tinyflow.errors import InputError

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


def test_a_second_build_of_a_folder_is_refused(tmp_path: Path) -> None:
    cache, folder = Cache(tmp_path / "cache"), tmp_path / "out"
    with (
        cache.only_build_of(folder),
        cache.only_build_of(tmp_path / "other"),
        pytest.raises(InputError, match="another build is writing there"),
        Cache(tmp_path / "cache").only_build_of(folder),
    ):
        pass
    with cache.only_build_of(folder):
        pass
    assert not folder.exists()
