# SPDX-License-Identifier: Apache-2.0
"""The output folder: a build appears there whole, or what was there stays as it was.

A build is written into a fresh folder next to the output and swapped with it in one step, so
nothing is ever written into a folder that was there before. What then lies aside is removed file by
file, as far as it is what a build wrote (`manifest.py`); a folder with anything else in it is
refused before. All of that works by the descriptor of the parent folder, so that no link leads out
of it.

A build that is killed leaves at most its fresh folder. What that is called, and its inode, is kept
in the user's own cache: the next build removes just that, and trusts nothing that lies next to the
output.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from tinyflow.errors import BudgetError, DeviceError, ExactnessError, InputError
from tinyflow.progress import Progress
from tinyflow.storage.cache import Cache, ContentHash
from tinyflow.storage.files import (
    NOT_IN_PATHS,
    kind_of,
    open_folder,
    unwritable,
    write_file,
    write_tree,
)
from tinyflow.storage.manifest import (
    MARKER,
    Sorted,
    digests,
    manifest_of,
    read_manifest,
    sort_files,
)

#: After these the project is whole, and worth looking at.
_KEPT_AFTER = (BudgetError, DeviceError, ExactnessError)

#: The options that name a folder to be replaced.
FolderOption = Literal["--output", "--dump"]
_SHOWN_FILES = 5
#: Name of a fresh folder.
_ASIDE = r"\.{}\.tinyflow-[0-9a-f]{{16}}"
#: Flag of renameat2(2).
_RENAME_EXCHANGE = 2


def output_path(named: Path | None, board: str) -> Path:
    """Return a build's output folder: absolute, its parents without links; the last name may be
    one.

    Args:
        named: what the user gave; None means `build/<board>` in this folder.
        board: the board's name.

    Raises:
        InputError: nothing was named, and `build` is a link.
    """
    path = Path("build") / board if named is None else named
    if named is None and path.parent.is_symlink():
        raise InputError(
            f"{path.parent}: is a link to {path.parent.readlink()}",
            hint="Name the folder that the build is to go to with --output.",
        )
    return path.resolve() if path.name in ("", "..") else path.parent.resolve() / path.name


@dataclass
class Output:
    """An output folder that no other build writes to; `files` is what this one puts there."""

    path: Path
    files: dict[str, bytes] = field(default_factory=dict)


class _Record(BaseModel):
    """Record that a build writes next to the output: the name, and the inodes that may have it."""

    name: str
    fresh: tuple[int, int]
    former: tuple[int, int] | None


@contextmanager
def replacing(
    folder: Path, cache: Cache, progress: Progress, option: FolderOption = "--output"
) -> Iterator[Output]:
    """Claim the output folder; at the end it holds `Output.files` and nothing else.

    Where the block fails, the folder stays as it was, unless the error says that the build is whole
    all the same.

    Args:
        folder: the output folder, from `output_path`.
        cache: keeps what a killed build left behind.
        progress: receives a note about what is kept.
        option: the option that named the folder, for messages; PlatformIO builds in that of
            `--output`.

    Raises:
        InputError: the folder holds anything that tinyflow did not make, another build writes
            there, or it cannot be written.
    """
    _check_name(folder, option)
    with ExitStack() as stack:
        parent = stack.enter_context(_parent_of(folder, option))
        stack.enter_context(_only_build(parent, folder, option))
        place = _Place(parent, folder, cache, progress, option)
        place.clean_up()
        place.check()
        output = Output(folder)
        try:
            yield output
        except _KEPT_AFTER:
            if output.files:
                place.replace(output.files)
            raise
        place.replace(output.files)


def _choose(option: FolderOption) -> str:
    return f"Choose another {option}."


def _check_name(folder: Path, option: FolderOption) -> None:
    if not folder.name:
        raise InputError(f"{folder}: cannot be an output folder", hint=_choose(option))
    unfit = NOT_IN_PATHS.search(str(folder))
    if unfit is not None and option == "--output":
        raise InputError(
            f"{folder}: PlatformIO cannot build in a folder whose path holds {unfit[0]!r}",
            hint=_choose(option),
        )


@contextmanager
def _parent_of(folder: Path, option: FolderOption) -> Iterator[int]:
    """Open the parent; it is created if missing, and removed again if it stays empty."""
    new = [parent for parent in folder.parents if not parent.exists()]
    try:
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise unwritable(folder, error, hint=_choose(option)) from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    finally:
        with contextlib.suppress(OSError):
            for parent in new:
                parent.rmdir()


@contextmanager
def _only_build(parent: int, folder: Path, option: FolderOption) -> Iterator[None]:
    """Lock the output by a file next to it, for any cache; the system frees it if we die."""
    name = f".{folder.name}.tinyflow-lock"
    try:
        lock = _locked(parent, name)
    except BlockingIOError as error:
        raise InputError(
            f"{folder}: another build is writing there",
            hint=f"Wait for it, or choose another {option}.",
        ) from error
    except OSError as error:
        raise unwritable(folder.parent / name, error, hint=_choose(option)) from error
    try:
        yield
    finally:
        if os.fstat(lock).st_size == 0:  # a file with content is not tinyflow's
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=parent)
        os.close(lock)


def _locked(parent: int, name: str) -> int:
    """The descriptor of a locked file, which is still there under that name."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        lock = os.open(name, flags, 0o600, dir_fd=parent)
        try:
            status = os.fstat(lock)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EEXIST, "something that is no file has that name")
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_inode(parent, name, (status.st_dev, status.st_ino)):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # the build that held it has removed it


@dataclass
class _Place:
    """The output folder as a name in its parent."""

    parent: int
    path: Path
    cache: Cache
    progress: Progress
    option: FolderOption

    @property
    def name(self) -> str:
        return self.path.name

    # ---- before ----

    def check(self) -> None:
        """Check that nothing is lost if the folder is replaced.

        Raises:
            InputError: it is a file, a link or a mount, or holds what tinyflow did not make.
        """
        kind = kind_of(self.name, self.parent)
        if kind is None:
            return
        if kind == stat.S_IFLNK:
            raise InputError(f"{self.path}: is a link", hint="Name the folder itself.")
        if kind != stat.S_IFDIR:
            raise InputError(f"{self.path}: is a file, not a folder", hint=_choose(self.option))
        if os.path.ismount(self.path):
            raise InputError(
                f"{self.path}: a file system is mounted there",
                hint=f"Choose a folder inside it as {self.option}.",
            )
        others = self._sorted().others
        if others:
            shown = ", ".join(others[:_SHOWN_FILES])
            more = f" and {len(others) - _SHOWN_FILES} more" if len(others) > _SHOWN_FILES else ""
            raise InputError(
                f"{self.path}: holds files that tinyflow did not make or that were changed, and "
                f"would be replaced: {shown}{more}",
                hint=f"Move them away, or choose another {self.option}, or an empty folder. "
                "A build that an earlier version of tinyflow made lists no files, and can be "
                "removed.",
            )

    def _sorted(self) -> Sorted:
        try:
            with open_folder(self.name, inside=self.parent) as folder:
                return sort_files(folder)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read: {error.strerror}", hint=_choose(self.option)
            ) from error

    def clean_up(self) -> None:
        """Undo what a killed build left next to the output."""
        record = self._read_record()
        if record is None:
            return
        former = _former(record.name)
        if _is_inode(self.parent, former, record.former):  # it was killed between two renames
            if kind_of(self.name, self.parent) is None:
                self._rename(former, self.name)
            else:
                self._drop(former)
        if _inode(self.parent, record.name) in (record.fresh, record.former):
            self._drop(record.name)
        self._record_file().unlink(missing_ok=True)

    # ---- after ----

    def replace(self, files: dict[str, bytes]) -> None:
        """Make the folder hold just these files, in one step.

        Raises:
            InputError: the folder cannot be written, or holds what tinyflow did not make by now.
        """
        self.check()
        if self._holds(files):
            return
        inside = _works_in(self.path)
        try:
            aside = self._new_folder()
        except OSError as error:
            raise unwritable(self.path, error, hint=_choose(self.option)) from error
        try:
            self._fill_and_swap(aside, files)
        except OSError as error:
            where = self.path / error.filename if error.filename else self.path
            raise unwritable(where, error, hint=_choose(self.option)) from error
        finally:
            self._drop(aside)
            with contextlib.suppress(OSError):
                self._record_file().unlink(missing_ok=True)
        if inside:
            self.progress.warn(f"{self.path} was replaced: `cd .` shows what it holds now")

    def _holds(self, files: dict[str, bytes]) -> bool:
        """Whether the folder is just that already."""
        if kind_of(self.name, self.parent) != stat.S_IFDIR:
            return False
        with open_folder(self.name, inside=self.parent) as folder:
            found = sort_files(folder)
            same = read_manifest(folder) == digests(files)
        return same and set(found.built) == set(files) and not found.remade and not found.others

    def _new_folder(self) -> str:
        aside = f".{self.name}.tinyflow-{secrets.token_hex(8)}"
        os.mkdir(aside, 0o700, dir_fd=self.parent)
        return aside

    def _fill_and_swap(self, aside: str, files: dict[str, bytes]) -> None:
        """Write the new folder and let it change places with the former one."""
        former = _inode(self.parent, self.name)
        with open_folder(aside, inside=self.parent) as folder:
            status = os.fstat(folder)
            self._write_record(_Record(name=aside, fresh=_pair(status), former=former))
            write_tree(folder, {MARKER: manifest_of(files), **files})
            os.fchmod(folder, self._mode())
        self.check()
        if former is None:
            self._rename(aside, self.name)
        elif not _exchange(self.parent, aside, self.name):
            self._rename_twice(aside)
        os.fsync(self.parent)

    def _mode(self) -> int:
        """The former folder's mode; for a new one what this process gives new folders."""
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(self.name, dir_fd=self.parent, follow_symlinks=False)
            return stat.S_IMODE(status.st_mode)
        probe = f".{self.name}.tinyflow-{secrets.token_hex(8)}"
        os.mkdir(probe, dir_fd=self.parent)
        status = os.stat(probe, dir_fd=self.parent, follow_symlinks=False)
        os.rmdir(probe, dir_fd=self.parent)
        return stat.S_IMODE(status.st_mode)

    def _rename_twice(self, aside: str) -> None:
        """Change places where the file system cannot do so in one step."""
        former = _former(aside)
        self._rename(self.name, former)
        try:
            self._rename(aside, self.name)
        except BaseException:
            self._rename(former, self.name)
            raise
        self._rename(former, aside)

    def _drop(self, aside: str) -> None:
        """Remove what lies aside, but nothing of the user's: that is kept under a name to see."""
        kind = kind_of(aside, self.parent)
        if kind is None:
            return
        record = self._read_record()
        with contextlib.suppress(OSError, RecursionError):
            if record is not None and _is_inode(self.parent, aside, record.fresh):
                shutil.rmtree(aside, dir_fd=self.parent)
            elif kind == stat.S_IFDIR:
                with open_folder(aside, inside=self.parent) as folder:
                    sort_files(folder, remove=True)
                os.rmdir(aside, dir_fd=self.parent)
        if kind_of(aside, self.parent) is not None:
            kept = f"{self.name}.kept-{secrets.token_hex(4)}"
            self._rename(aside, kept)
            self.progress.warn(
                f"{self.path.with_name(kept)} has files that were put into {self.path} meanwhile"
            )

    def _rename(self, old: str, new: str) -> None:
        os.rename(old, new, src_dir_fd=self.parent, dst_dir_fd=self.parent)

    # ---- what a killed build would leave ----

    def _record_file(self) -> Path:
        return self.cache.root / "outputs" / f"{ContentHash('output', str(self.path)).key()}.json"

    def _write_record(self, record: _Record) -> None:
        path = self._record_file()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self.cache.unwritable(error) from error
        write_file(path, record.model_dump_json())

    def _read_record(self) -> _Record | None:
        try:
            record = _Record.model_validate_json(self._record_file().read_bytes())
        except (OSError, ValidationError, ValueError):
            return None
        return record if re.fullmatch(_ASIDE.format(re.escape(self.name)), record.name) else None


def _former(aside: str) -> str:
    return f"{aside}-former"


def _exchange(folder: int, one: str, other: str) -> bool:
    """Let two names change places in one step; False where the system or its files cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    if renameat2(folder, os.fsencode(one), folder, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP):
        return False
    raise OSError(number, os.strerror(number))


def _inode(folder: int, name: str) -> tuple[int, int] | None:
    with contextlib.suppress(FileNotFoundError):
        return _pair(os.stat(name, dir_fd=folder, follow_symlinks=False))
    return None


def _is_inode(folder: int, name: str, inode: tuple[int, int] | None) -> bool:
    return inode is not None and _inode(folder, name) == inode


def _pair(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _works_in(folder: Path) -> bool:
    """Whether the working folder is that one or lies in it."""
    with contextlib.suppress(FileNotFoundError):
        return Path.cwd().is_relative_to(folder)
    return False
