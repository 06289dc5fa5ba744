# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all, and never through a link.

Whatever lies in a folder may have been put there by somebody else: a link where a file is to go, a
second name of a file that lies elsewhere. So nothing is opened for writing that was there before.
A file is made under a new name, by the descriptor of its folder, and renamed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from tinyflow.errors import InputError

#: Characters in a path that SCons, its shell or gcc would interpret.
NOT_IN_PATHS = re.compile(r"""[$"'`\\,;&<>|()\x00-\x1f\x7f]""")
#: The errors of a device, a quota or a limit on the size of files that is used up.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
#: Files that are brought to the device at a time: most of the time is spent waiting for it.
_SYNCED_AT_ONCE = 8


def is_full(error: OSError) -> bool:
    """Whether the device, or what the user may use of it, is full."""
    return error.errno in _FULL


def unwritable(path: Path | str, error: OSError, *, hint: str | None = None) -> InputError:
    """The error of a file or folder that cannot be written; it says so where the disk is full."""
    if is_full(error):
        return InputError(
            f"{path}: the disk is full: {error.strerror}",
            hint="Free some space there, or raise the limit (quota, `ulimit -f`).",
        )
    return InputError(f"{path}: cannot be written: {error.strerror or error}", hint=hint)


@contextlib.contextmanager
def open_folder(path: Path | str, *, inside: int | None = None) -> Iterator[int]:
    """The descriptor of a folder.

    Args:
        path: where it is; in its own path, links are followed.
        inside: the descriptor of the folder that `path` is a name in; then a link is an error.

    Raises:
        OSError: it is not there, or not a folder.
    """
    flags = _FOLDER if inside is None else _FOLDER | os.O_NOFOLLOW
    descriptor = os.open(path, flags, dir_fd=inside)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def kind_of(name: str, folder: int) -> int | None:
    """The file type (`stat.S_IFMT`) of a name in a folder, a link's own; None if there is none."""
    try:
        return stat.S_IFMT(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return None


def write_file(path: Path, content: bytes | str) -> None:
    """Write a file in one step; what was there before is replaced.

    Raises:
        InputError: it cannot be written, or a link, a folder or a device has that name.
    """
    try:
        with open_folder(path.parent) as folder:
            write_in(folder, path.name, content)
    except OSError as error:
        raise unwritable(path, error) from error


def write_in(folder: int, name: str, content: bytes | str) -> None:
    """Write a file of that name in a folder in one step.

    Raises:
        OSError: it cannot be written, or a link, a folder or a device has that name.
    """
    if kind_of(name, folder) not in (None, stat.S_IFREG):
        raise OSError(errno.EEXIST, "something that is no file has that name")
    aside = f".tinyflow-{secrets.token_hex(8)}"
    try:
        _write_new(folder, aside, content)
        os.rename(aside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside, dir_fd=folder)
        raise
    os.fsync(folder)


def write_tree(root: int, files: Mapping[str, bytes]) -> None:
    """Fill an empty folder with files by relative path, and bring them to the device.

    Raises:
        OSError: one cannot be written, or something has its name already; `filename` is the path.
    """
    with contextlib.ExitStack() as opened:
        folders = {PurePosixPath("."): root}

        def folder_of(path: PurePosixPath) -> int:
            if path not in folders:
                parent = folder_of(path.parent)
                os.mkdir(path.name, dir_fd=parent)
                folders[path] = opened.enter_context(open_folder(path.name, inside=parent))
            return folders[path]

        def write(name: str) -> None:
            path = PurePosixPath(name)
            try:
                _write_new(folders[path.parent], path.name, files[name])
            except OSError as error:
                raise OSError(error.errno, error.strerror, name) from error

        for name in files:
            folder_of(PurePosixPath(name).parent)
        with ThreadPoolExecutor(_SYNCED_AT_ONCE) as pool:
            list(pool.map(write, files))
        for folder in folders.values():
            os.fsync(folder)


def _write_new(folder: int, name: str, content: bytes | str) -> None:
    """Write a file that is not there yet, and bring it to the device."""
    data = memoryview(content.encode("utf-8") if isinstance(content, str) else content)
    descriptor = os.open(name, _NEW_FILE, 0o666, dir_fd=folder)
    try:
        while data:
            data = data[os.write(descriptor, data) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
