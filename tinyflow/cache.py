"""A cache of stages by content: the same inputs give the same folder of results.

It lies in TINYFLOW_CACHE, or `tinyflow` in the user's cache folder. An entry appears whole or
not at all, and is dropped when it has not been used for two months.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tinyflow.errors import InputError

_UNUSED_SECONDS = 60 * 24 * 3600
#: Nothing else is ever dropped: the user may have named a folder that holds other files.
_OWN_NAME = re.compile(r"[0-9a-f]{64}|\.making-.*")


class ContentHash:
    """SHA-256 over values of different kinds, told apart so that none runs into the next."""

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
    """Folders of results by key."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or _default_root()

    @contextlib.contextmanager
    def only_build_of(self, folder: Path) -> Iterator[None]:
        """Hold what keeps a second build out of the folder; the system frees it if we die.

        Raises:
            InputError: another build is writing there, or the cache cannot be written.
        """
        path = self.root / "locks" / ContentHash("lock", str(folder)).key()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        except OSError as error:
            raise self._unwritable(error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise InputError(
                    f"{folder}: another build is writing there",
                    hint="Wait for it, or choose another --output.",
                ) from error
            yield

    def _unwritable(self, error: OSError) -> InputError:
        return InputError(
            f"{self.root}: the cache cannot be written: {error.strerror}",
            hint="Name another folder in TINYFLOW_CACHE.",
        )

    def fetch(self, key: str, make: Callable[[Path], None]) -> Path:
        """The folder of that key; `make` fills it where there is none yet.

        What `make` raises passes through, and nothing is kept.

        Raises:
            InputError: the cache's folder cannot be written.
        """
        entry = self.root / key[:2] / key
        if entry.is_dir():
            with contextlib.suppress(OSError):
                os.utime(entry)
            return entry
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            aside = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            make(aside)
            with contextlib.suppress(OSError):  # another process was first
                aside.rename(entry)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        self._drop_unused()
        return entry

    def _drop_unused(self) -> None:
        limit = time.time() - _UNUSED_SECONDS
        for entry in self.root.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(OSError):
                if _OWN_NAME.fullmatch(entry.name) and entry.stat().st_mtime < limit:
                    shutil.rmtree(entry, ignore_errors=True)


def _default_root() -> Path:
    named = os.environ.get("TINYFLOW_CACHE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tinyflow"
