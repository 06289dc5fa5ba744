# SPDX-License-Identifier: Apache-2.0
"""The output folder: all of a build or what was there before, and nothing of anybody else's."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.command_line import snapshot
from tinyflow.errors import BudgetError, BuildError, DeviceError, ExactnessError, InputError
from tinyflow.pipeline import output as output_module
from tinyflow.pipeline.output import Output, output_path, replacing
from tinyflow.progress import Progress
from tinyflow.storage import files
from tinyflow.storage.cache import Cache
from tinyflow.storage.manifest import MARKER, manifest_of

FORMER = {"lib/model.c": b"former", "src/main.c": b"int main;", ".pio/build/b/firmware.elf": b"e"}
NEW = {"lib/model.c": b"new", "lib/deep/er.c": b"deep", ".pio/build/b/firmware.elf": b"f"}


class Told(Progress):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Builds:
    """Puts builds into a folder, from one cache."""

    def __init__(self, cache: Path) -> None:
        self.cache = Cache(cache)
        self.messages = Told()

    @contextmanager
    def replacing(self, folder: Path) -> Iterator[Output]:
        with replacing(folder, self.cache, self.messages) as output:
            yield output

    def put(self, folder: Path, content: dict[str, bytes]) -> None:
        with self.replacing(folder) as output:
            output.files = dict(content)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place").mkdir()
    return tmp_path / "place"


@pytest.fixture
def builds(tmp_path: Path) -> Builds:
    return Builds(tmp_path / "cache")


@pytest.fixture
def former(place: Path, builds: Builds) -> Path:
    """A finished build in `out`."""
    builds.put(place / "out", FORMER)
    return place / "out"


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """Files of the user's elsewhere."""
    (tmp_path / "home" / "thesis" / "chapter").mkdir(parents=True)
    (tmp_path / "home" / "thesis" / "text.tex").write_text("years of work")
    (tmp_path / "home" / "thesis" / "chapter" / "a.tex").write_text("more")
    return tmp_path / "home" / "thesis"


def content(folder: Path) -> dict[str, bytes]:
    return {
        name: data for name, data in snapshot(folder).items() if data is not None and name != MARKER
    }


# ------------------------------------------------------------------------------ appearing


def test_a_build_appears(former: Path) -> None:
    assert content(former) == FORMER
    assert (former / MARKER).read_bytes() == manifest_of(FORMER)
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_second_build_takes_its_place(former: Path, builds: Builds) -> None:
    builds.put(former, NEW)
    assert content(former) == NEW
    assert not (former / "src").exists()
    assert [path.name for path in former.parent.iterdir()] == ["out"]
    assert list((builds.cache.root / "outputs").iterdir()) == []


def test_the_same_build_touches_nothing(former: Path, builds: Builds) -> None:
    inode = former.stat().st_ino
    builds.put(former, FORMER)
    assert former.stat().st_ino == inode


def test_new_folders_have_the_usual_mode_and_old_ones_keep_theirs(
    former: Path, builds: Builds, place: Path
) -> None:
    (place / "usual").mkdir()
    assert former.stat().st_mode == (place / "usual").stat().st_mode
    former.chmod(0o750)
    builds.put(former, NEW)
    assert former.stat().st_mode & 0o777 == 0o750


def test_what_a_user_of_the_project_makes_may_go(former: Path, builds: Builds) -> None:
    (former / ".pio" / "build" / "b" / "src").mkdir()
    (former / ".pio" / "build" / "b" / "src" / "main.o").write_text("")
    (former / ".pio" / "build" / "b" / "firmware.elf").write_text("linked again")
    (former / "lib" / "__pycache__").mkdir()
    (former / "lib" / "__pycache__" / "x.cpython-311.pyc").write_text("")
    (former / "empty").mkdir()
    builds.put(former, FORMER)
    assert content(former) == FORMER
    assert not (former / "empty").exists()


def test_where_names_cannot_change_places_in_one_step(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_module, "_exchange", lambda *_: False)
    builds.put(former, NEW)
    assert content(former) == NEW
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_working_folder_that_is_replaced_is_told(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(former)
    builds.put(output_path(Path(), "b"), NEW)
    assert "`cd .`" in builds.messages.warnings[0]
    assert content(former) == NEW


# --------------------------------------------------------------------------------- failing


@pytest.mark.parametrize("error", [BuildError("x"), InputError("x"), KeyboardInterrupt()])
def test_a_failure_leaves_the_former_build(
    former: Path, builds: Builds, error: BaseException
) -> None:
    before = snapshot(former.parent)
    with pytest.raises(type(error)), builds.replacing(former) as output:
        output.files = dict(NEW)
        raise error
    assert snapshot(former.parent) == before


def test_a_first_failure_leaves_nothing(place: Path, builds: Builds) -> None:
    with pytest.raises(BuildError), builds.replacing(place / "build" / "deep" / "out"):
        raise BuildError("x")
    assert list(place.iterdir()) == []


def test_a_first_failure_leaves_an_empty_folder_of_the_users(place: Path, builds: Builds) -> None:
    (place / "mine").mkdir()
    for folder in (place / "mine" / "out", place / "mine"):
        with pytest.raises(BuildError), builds.replacing(folder):
            raise BuildError("x")
    assert snapshot(place) == {"mine": None}


@pytest.mark.parametrize("error", [BudgetError("x"), DeviceError("x"), ExactnessError("x")])
def test_after_some_failures_the_new_build_stays(
    former: Path, builds: Builds, error: Exception
) -> None:
    with pytest.raises(type(error)), builds.replacing(former) as output:
        output.files = dict(NEW)
        raise error
    assert content(former) == NEW
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_an_early_failure_of_that_kind_leaves_the_former(former: Path, builds: Builds) -> None:
    with pytest.raises(DeviceError), builds.replacing(former):
        raise DeviceError("before anything was built")
    assert content(former) == FORMER


class Killed(BaseException):
    """Stands for SIGKILL: what would have been tidied up stays."""


def kill(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    """Let the next build end at the call of a function of `output.py`, with nothing tidied up."""

    def killed(*_: object, **__: object) -> None:
        monkeypatch.setattr(output_module._Place, "_drop", lambda *_: None)
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
        raise Killed

    monkeypatch.setattr(output_module, function, killed)


@pytest.mark.parametrize("function", ["write_tree", "_exchange"])
def test_a_killed_build_is_forgotten_by_the_next(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    before = snapshot(former)
    with monkeypatch.context() as patch:
        kill(patch, function)
        with pytest.raises(Killed):
            builds.put(former, NEW)
    assert len(list(former.parent.glob(".out.tinyflow-*"))) == 1
    assert snapshot(former) == before
    with pytest.raises(BuildError), builds.replacing(former):
        raise BuildError("the next one fails, too")
    assert snapshot(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_build_killed_between_two_renames_is_undone_by_the_next(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = snapshot(former)
    with monkeypatch.context() as patch:
        patch.setattr(output_module, "_exchange", lambda *_: False)
        rename = os.rename

        def second(old: str, new: str, **where: int) -> None:
            if new == "out":
                patch.setattr(output_module._Place, "_drop", lambda *_: None)
                patch.setattr(output_module._Place, "_rename", lambda *_: None)
                patch.setattr(Path, "unlink", lambda *_, **__: None)
                raise Killed
            rename(old, new, **where)

        patch.setattr(os, "rename", second)
        with pytest.raises(Killed):
            builds.put(former, NEW)
    assert not former.exists()
    with pytest.raises(BuildError), builds.replacing(former):
        raise BuildError("the next one fails, too")
    assert snapshot(former) == before
    assert [path.name for path in former.parent.iterdir()] == ["out"]


def test_a_former_build_that_was_swapped_out_is_removed_by_the_next(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(output_module._Place, "_drop", lambda *_: None)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        builds.put(former, NEW)
    assert len(list(former.parent.iterdir())) == 2
    builds.put(former, NEW)
    assert content(former) == NEW
    assert [path.name for path in former.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_full_disk_leaves_the_former_build(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch, number: int, left: int
) -> None:
    before = snapshot(former.parent)
    write_new = files._write_new
    calls = iter(range(100))

    def full(folder: int, name: str, data: bytes | str) -> None:
        if next(calls) >= left:
            raise OSError(number, os.strerror(number))
        write_new(folder, name, data)

    monkeypatch.setattr(files, "_write_new", full)
    with pytest.raises(InputError, match="the disk is full") as caught:
        builds.put(former, NEW)
    assert str(former if left else builds.cache.root) in caught.value.message
    assert snapshot(former.parent) == before


# ------------------------------------------------------------------------- files of others


def test_foreign_folders_and_files_are_refused(thesis: Path, builds: Builds) -> None:
    before = snapshot(thesis)
    for folder, says in (
        (thesis, r"thesis: holds files that tinyflow did not make.*: chapter/, text\.tex"),
        (thesis / "text.tex", r"text\.tex: is a file, not a folder"),
        (Path("/"), "cannot be an output folder"),
        (thesis / "text.tex" / "out", "cannot be written"),
    ):
        with pytest.raises(InputError, match=says) as caught, builds.replacing(folder):
            raise AssertionError
        assert "--output" in str(caught.value)
    assert snapshot(thesis) == before


def _in_pycache(out: Path) -> None:
    (out / "__pycache__").mkdir()
    (out / "__pycache__" / "notes.txt").write_text("mine")


def _linked_workspace(out: Path) -> None:
    shutil.rmtree(out / ".pio")
    (out / ".pio").symlink_to(out.parent)


def _folder_for_file(out: Path) -> None:
    (out / "src" / "main.c").unlink()
    (out / "src" / "main.c" / "x").mkdir(parents=True)


def _another_list(out: Path) -> None:
    (out / "notes.txt").write_text("mine")
    (out / MARKER).write_text("")


def _linked_list(out: Path) -> None:
    shutil.move(out / MARKER, out.parent / "list")
    (out / MARKER).symlink_to("../list")


OWN: dict[str, Callable[[Path], object]] = {
    "a file": lambda out: (out / "notes.txt").write_text("mine"),
    "a file in a folder of the build": lambda out: (out / "src" / "mine.c").write_text("mine"),
    "a folder": lambda out: shutil.copytree(out / "src", out / "copy"),
    "a changed file": lambda out: (out / "src" / "main.c").write_text("int main, mine;"),
    "an emptied file": lambda out: (out / "src" / "main.c").write_text(""),
    "a file in __pycache__": _in_pycache,
    "a link": lambda out: (out / "link").symlink_to("src"),
    "a dangling link": lambda out: (out / "link").symlink_to("nowhere"),
    "a link in place of .pio": _linked_workspace,
    "a pipe": lambda out: os.mkfifo(out / "pipe"),
    "a folder in place of a file": _folder_for_file,
    "another list": _another_list,
    "a list of no form": lambda out: (out / MARKER).write_text('{"version": 1, "files": [1]}'),
    "a list through a link": _linked_list,
}


@pytest.mark.parametrize("case", OWN)
def test_own_files_in_a_build_are_never_lost(case: str, former: Path, builds: Builds) -> None:
    OWN[case](former)

    def seen() -> list[tuple[Path, int, int, int]]:
        states = [(path, path.lstat()) for path in sorted(former.rglob("*"))]
        return [(path, s.st_ino, s.st_size, s.st_mtime_ns) for path, s in states]

    before = seen()
    with pytest.raises(InputError, match="holds files that tinyflow did not make"):
        builds.put(former, NEW)
    assert seen() == before


def test_files_put_there_during_a_build_are_not_lost(former: Path, builds: Builds) -> None:
    with (
        pytest.raises(InputError, match=r"replaced: notes\.txt"),
        builds.replacing(former) as output,
    ):
        output.files = dict(NEW)
        (former / "notes.txt").write_text("mine")
    assert (former / "notes.txt").read_text() == "mine"


def test_files_put_there_at_the_last_moment_are_kept(
    former: Path, builds: Builds, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = output_module._exchange

    def late(*names: object) -> bool:
        (former / "notes.txt").write_text("mine")
        (former / "src" / "main.c").write_text("int main, mine;")
        return exchange(*names)  # type: ignore[arg-type]

    monkeypatch.setattr(output_module, "_exchange", late)
    builds.put(former, NEW)
    assert content(former) == NEW
    (kept,) = former.parent.glob("out.kept-*")
    assert (kept / "notes.txt").read_text() == "mine"
    assert (kept / "src" / "main.c").read_text() == "int main, mine;"
    assert kept.name in builds.messages.warnings[0]


@pytest.mark.parametrize("marked", ["touched", "listed"])
@pytest.mark.parametrize("name", ["src", "lib/deep", "platform", "vectors", ".pio", "renode"])
def test_links_that_came_with_a_folder_are_not_followed(
    place: Path, thesis: Path, builds: Builds, name: str, marked: str
) -> None:
    before = snapshot(thesis)
    out = place / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).symlink_to(thesis)
    listed = {f"{name}/{path}": data or b"" for path, data in before.items()}
    (out / MARKER).write_bytes(manifest_of(listed) if marked == "listed" else b"")
    with pytest.raises(InputError, match="holds files that tinyflow did not make"):
        builds.put(out, NEW)
    assert snapshot(thesis) == before
    assert (out / name).is_symlink()


def test_links_in_a_workspace_go_and_what_they_lead_to_stays(
    former: Path, thesis: Path, builds: Builds
) -> None:
    before = snapshot(thesis)
    (former / ".pio" / "build" / "link").symlink_to(thesis)
    (former / ".pio" / "libdeps").symlink_to(thesis)
    builds.put(former, NEW)
    assert content(former) == NEW
    assert snapshot(thesis) == before


def test_a_second_name_of_a_foreign_file_is_not_written_through(
    former: Path, thesis: Path, builds: Builds
) -> None:
    (former / "src" / "main.c").unlink()
    (thesis / "same.c").write_bytes(FORMER["src/main.c"])
    (former / "src" / "main.c").hardlink_to(thesis / "same.c")
    builds.put(former, {**FORMER, "src/main.c": b"new"})
    assert (thesis / "same.c").read_bytes() == FORMER["src/main.c"]
    assert (former / "src" / "main.c").read_bytes() == b"new"


def test_the_output_itself_may_be_no_link(place: Path, thesis: Path, builds: Builds) -> None:
    builds.put(place / "other", FORMER)
    (place / "out").symlink_to("other")
    (place / "dangling").symlink_to("nowhere")
    for name in ("out", "dangling"):
        with pytest.raises(InputError, match="is a link"):
            builds.put(output_path(place / name, "b"), NEW)
    assert content(place / "other") == FORMER


def test_the_default_output_may_not_lead_elsewhere(
    place: Path, thesis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert output_path(None, "b") == place / "build" / "b"
    (place / "build").symlink_to(thesis)
    with pytest.raises(InputError, match=r"build: is a link to .*thesis"):
        output_path(None, "b")
    assert output_path(Path("build/b"), "b") == thesis / "b"  # the user has named it


def test_a_link_swapped_in_by_a_racing_thread_leads_nowhere(
    former: Path, thesis: Path, builds: Builds
) -> None:
    """The folder, and all next to it, turn into links and back while builds replace it."""
    before = snapshot(thesis)
    done = threading.Event()

    def race() -> None:
        aside = former.with_name("aside")
        while not done.is_set():
            for path in (former, *former.parent.glob(".out.*")):
                with contextlib.suppress(OSError):
                    path.rename(aside)
                    path.symlink_to(thesis)
                    path.unlink()
                    aside.rename(path)
                with contextlib.suppress(OSError):
                    (path / "src").rename(path / "was")
                    (path / "src").symlink_to(thesis)
                    (path / "src").unlink()
                    (path / "was").rename(path / "src")

    thread = threading.Thread(target=race)
    thread.start()
    try:
        for index in range(40):
            with contextlib.suppress(InputError, OSError):
                builds.put(former, {**FORMER, "src/main.c": str(index).encode()})
    finally:
        done.set()
        thread.join()
    assert snapshot(thesis) == before


@pytest.mark.parametrize("suffix", [".previous", ".copying", ".tinyflow-0123456789abcdef"])
@pytest.mark.parametrize("marked", [False, True])
def test_a_folder_beside_the_output_is_no_build_of_ours(
    place: Path, builds: Builds, suffix: str, marked: bool
) -> None:
    for name in ("thesis", f".thesis{suffix}", f".thesis{suffix}-former"):
        (place / name).mkdir()
        (place / name / "text.tex").write_text(name)
        if marked:
            (place / name / MARKER).write_bytes(manifest_of({"text.tex": b"other"}))
    before = snapshot(place)
    with pytest.raises(InputError, match="holds files that tinyflow did not make"):
        builds.put(place / "thesis", NEW)
    assert snapshot(place) == before
    shutil.rmtree(place / "thesis")
    builds.put(place / "thesis", NEW)
    assert (place / f".thesis{suffix}" / "text.tex").exists()
    assert (place / f".thesis{suffix}-former" / "text.tex").exists()


# ------------------------------------------------------------------------------- the lock


def test_a_second_build_of_a_folder_is_refused(place: Path, tmp_path: Path) -> None:
    one, other = Builds(tmp_path / "one"), Builds(tmp_path / "other")
    with one.replacing(place / "out"), one.replacing(place / "aside"):
        (place / "link").symlink_to(place)
        for path in (place / "out", output_path(place / "link" / "out", "b")):
            with (
                pytest.raises(InputError, match="another build is writing there"),
                other.replacing(path),
            ):
                raise AssertionError
    other.put(place / "out", NEW)
    assert content(place / "out") == NEW
    assert sorted(path.name for path in place.iterdir()) == ["aside", "link", "out"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe"])
def test_a_lock_is_a_file_and_no_link(place: Path, thesis: Path, builds: Builds, kind: str) -> None:
    before = snapshot(thesis)
    lock = place / ".out.tinyflow-lock"
    if kind == "folder":
        lock.mkdir()
    elif kind == "pipe":
        os.mkfifo(lock)
    else:
        lock.symlink_to(thesis / ("text.tex" if kind == "link" else "new.tex"))
    with pytest.raises(InputError, match=r"\.out\.tinyflow-lock: cannot be written"):
        builds.put(place / "out", NEW)
    assert snapshot(thesis) == before
    assert os.path.lexists(lock)


def test_a_foreign_file_of_the_locks_name_stays(place: Path, builds: Builds) -> None:
    lock = place / ".out.tinyflow-lock"
    lock.write_text("mine")
    builds.put(place / "out", NEW)
    assert lock.read_text() == "mine"
    lock.write_text("")  # as a killed build leaves it
    builds.put(place / "out", FORMER)
    assert not lock.exists()


# ---------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name", ["$HOME", 'a"b', "a'b", "`touch x`", "back\\", "a,b", "a;b", "a&b", "(a)", "a\nb"]
)
def test_a_path_that_a_shell_would_read_is_refused(place: Path, builds: Builds, name: str) -> None:
    with pytest.raises(InputError, match="cannot build in a folder whose path holds") as caught:
        builds.put(place / name / "out", NEW)
    assert "--output" in str(caught.value)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a b", "größe 模型", "[red]", "{{ 7*7 }}", "100%", "#1", "a+b=c~@"]
)
def test_other_paths_are_taken(place: Path, builds: Builds, name: str) -> None:
    builds.put(place / name / "out", NEW)
    assert content(place / name / "out") == NEW


def test_an_output_is_named_without_links_in_its_parents(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    (place / "link").symlink_to(place)
    assert output_path(Path("link/out"), "b") == place / "out"
    assert output_path(Path(), "b") == place
    assert output_path(Path(".."), "b") == place.parent
