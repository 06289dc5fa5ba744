# SPDX-License-Identifier: Apache-2.0
"""A cache of stages by content: the same inputs give the same folder of results.

It lies in TINYFLOW_CACHE, or `tinyflow` in the user's cache folder. An entry appears whole or
not at all, carries a digest of its content, without which it is made anew, and is dropped when it
has not been used for two months.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from tinyflow.errors import InputError
from tinyflow.storage.files import NOT_IN_PATHS, is_full, unwritable, write_file

_log = logging.getLogger(__name__)

_UNUSED_SECONDS = 60 * 24 * 3600
#: Nothing else is ever dropped: the user may have named a folder that holds other files.
_OWN_NAME = re.compile(r"[0-9a-f]{64}|\.making-.*")
_MAKING = ".making-"
#: Holds the digest of all other files of an entry.
_DIGEST = ".digest"
_WORKSPACES = "workspaces"
#: Workspaces kept, each some megabytes; the least recently used of other outputs are removed.
_MOST_WORKSPACES = 100


class ContentHash:
    """SHA-256 over values of different kinds, separated so that none runs into the next."""

    def __init__(self, *values: object) -> None:
        self._hash = hashlib.sha256()
        self.add(*values)

    def add(self, *values: object) -> None:
        """Add text, numbers, bytes, arrays, or files and folders by their content."""
        for value in values:
            if isinstance(value, Path):
                self._add_path(value)
            elif isinstance(value, np.ndarray):
                self._put(b"array", f"{value.dtype} {value.shape}".encode())
                self._put(b"data", np.ascontiguousarray(value).tobytes())
            elif isinstance(value, bytes):
                self._put(b"bytes", value)
            else:
                self._put(type(value).__name__.encode(), repr(value).encode())

    def _add_path(self, path: Path) -> None:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            self._put(b"file", file.relative_to(path).as_posix().encode())
            self._put(b"data", file.read_bytes())

    def _put(self, kind: bytes, data: bytes) -> None:
        self._hash.update(b"%s %d:" % (kind, len(data)))
        self._hash.update(data)

    def key(self) -> str:
        """The hash so far, in hex."""
        return self._hash.hexdigest()


class Cache:
    """Folders of results by key.

    Args:
        root: the cache's folder; by default TINYFLOW_CACHE or the user's cache folder.
        warn: called for each damaged entry.
    """

    def __init__(
        self, root: Path | None = None, warn: Callable[[str], None] = lambda text: None
    ) -> None:
        self.root = root or _default_root()
        self._warn = warn

    def unwritable(self, error: OSError) -> InputError:
        """The error of a cache that cannot be written."""
        if is_full(error):
            return unwritable(self.root, error)
        return InputError(
            f"{self.root}: the cache cannot be written: {error.strerror}",
            hint="Name another folder in TINYFLOW_CACHE.",
        )

    def fetch(self, key: str, make: Callable[[Path], None], what: str = "results") -> Path:
        """Return the folder of that key; `make` fills it if it is missing or damaged.

        What `make` raises passes through, and nothing is kept. `what` names the results in the log.

        Raises:
            InputError: the cache's folder cannot be written.
        """
        entry = self.root / key[:2] / key
        if self._is_whole(entry):
            _log.info("%s: found in %s", what, entry)
            with contextlib.suppress(OSError):
                os.utime(entry)
            return entry
        _log.info("%s: not there yet, goes to %s", what, entry)
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            self._remove(entry)
            aside = Path(tempfile.mkdtemp(prefix=_MAKING, dir=entry.parent))
        except OSError as error:
            raise self.unwritable(error) from error
        try:
            try:
                make(aside)
            except OSError as error:
                if is_full(error):
                    raise self.unwritable(error) from error
                raise
            self._keep(aside, entry)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._drop_unused()
        return entry

    @contextlib.contextmanager
    def workspace(self, *names: object) -> Iterator[Workspace]:
        """A folder for what a program keeps from one run to the next, such as object files.

        It holds what it held when it was last sealed; else it is empty. Where the cache may not
        work, since others can write to it, or programs cannot use a folder of that name, the
        folder is a temporary one. The caller sees to it that one process at a time uses those
        names.

        Raises:
            InputError: the cache's folder cannot be written.
        """
        key = ContentHash("workspace", sys.version, *names).key()
        place = self.root.absolute() / _WORKSPACES / key
        with contextlib.ExitStack() as stack:
            try:
                place.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
                if not _is_own(place.parent) or NOT_IN_PATHS.search(str(place)):
                    name = stack.enter_context(tempfile.TemporaryDirectory(prefix="tinyflow-"))
                    place = Path(name).resolve()
                workspace = Workspace(place)
                if not workspace.open():
                    self._warn(f"{place}: damaged; made anew")
            except OSError as error:
                raise self.unwritable(error) from error
            yield workspace
        self._drop_unused()

    def _is_whole(self, entry: Path) -> bool:
        """Whether an entry is there and holds what was put into it."""
        if not entry.is_dir():
            return False
        try:
            whole = (entry / _DIGEST).read_text(encoding="ascii") == _digest(entry)
        except (OSError, ValueError):
            whole = False
        if not whole:
            self._warn(f"{entry}: damaged; made anew")
        return whole

    def _keep(self, aside: Path, entry: Path) -> None:
        """Bring a filled folder to the device and give it its name."""
        try:
            (aside / _DIGEST).write_text(_digest(aside), encoding="ascii")
            for folder, _, files in os.walk(aside):
                for path in (*(Path(folder, file) for file in files), Path(folder)):
                    _sync(path)
            aside.rename(entry)
            _sync(entry.parent)
        except OSError as error:
            if not self._is_whole(entry):  # else another process was first
                raise self.unwritable(error) from error

    def _remove(self, entry: Path) -> None:
        """Remove a damaged entry, in one step for other processes."""
        aside = entry.with_name(f"{_MAKING}{secrets.token_hex(8)}")
        with contextlib.suppress(FileNotFoundError):
            entry.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)

    def _drop_unused(self) -> None:
        limit = time.time() - _UNUSED_SECONDS
        _drop_before(limit, self.root.glob("[0-9a-f][0-9a-f]/*"))
        workspaces = list(self.root.glob(f"{_WORKSPACES}/*"))
        with contextlib.suppress(OSError):
            used = sorted((path.lstat().st_mtime for path in workspaces), reverse=True)
            limit = max([limit, *used[_MOST_WORKSPACES - 1 : _MOST_WORKSPACES]])
        _drop_before(limit, workspaces)


class Workspace:
    """A folder of the cache that is changed in place, and believed only as it was last sealed."""

    def __init__(self, place: Path) -> None:
        self._seal = place / _DIGEST
        self.folder = place / "files"
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)

    def open(self) -> bool:
        """Break the seal, and empty the folder unless it holds what was sealed.

        Returns False where something else than tinyflow changed what was sealed. After a run that
        failed or was killed nothing is sealed.

        Raises:
            OSError: it cannot be written.
        """
        os.utime(self._seal.parent)
        sealed = None
        if self._seal.exists():
            sealed = self._seal.read_bytes()
            self._seal.unlink()
            if sealed == _digest(self.folder).encode("ascii"):
                return True
        shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o700)
        return sealed is None

    def seal(self) -> None:
        """Remember what is in the folder now.

        Raises:
            InputError: that cannot be written.
        """
        write_file(self._seal, _digest(self.folder))


def _digest(folder: Path) -> str:
    """Hash the names and contents of all files of a folder but the digest itself.

    Raises:
        OSError: the folder cannot be read.
    """
    content = ContentHash()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            content.add("link", name, str(path.readlink()))
        elif path.is_file() and name != _DIGEST:
            content.add(name, path)
    return content.key()


def _drop_before(limit: float, entries: Iterable[Path]) -> None:
    """Remove what was last used before a time, seconds since the epoch."""
    for entry in entries:
        with contextlib.suppress(OSError):
            if _OWN_NAME.fullmatch(entry.name) and entry.lstat().st_mtime < limit:
                shutil.rmtree(entry, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_own(folder: Path) -> bool:
    """Whether a folder is the user's, and no other user may write to it."""
    status = folder.lstat()
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not writable


def _default_root() -> Path:
    named = os.environ.get("TINYFLOW_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinyflow"
