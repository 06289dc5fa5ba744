# SPDX-License-Identifier: Apache-2.0
"""List of the files of a build, so that the next build can separate them from the user's own.

The folder holds `.tinyflow-build`, which lists every file of the build with the SHA-256 of its
content. Only a file that is listed, at its place and with that content, may be replaced or removed:
the list may have come with a folder from elsewhere, and says nothing about what is not in it.
What PlatformIO and Python make when a user works in the folder, `.pio/` and compiled modules in
`__pycache__`, can be made again and may go, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tinyflow.errors import InputError
from tinyflow.storage.files import kind_of, open_folder, unwritable, write_in

#: The list of what the build wrote.
MARKER = ".tinyflow-build"
#: PlatformIO's workspace; the image lies there, too.
WORKSPACE = ".pio"

#: No build has longer lists or deeper folders.
_MOST_BYTES, _MOST_PARTS = 1 << 24, 32


class _ManifestFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1] = 1
    files: dict[str, str]


@dataclass
class Sorted:
    """Content of a folder, by relative path.

    Attributes:
        built: files that are as the build left them.
        remade: what PlatformIO and Python make again.
        others: files, links and folders of somebody else, among them changed files of the build.
    """

    built: list[str] = field(default_factory=list)
    remade: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


def digests(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 in hex of files by relative path, in the order of their names."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def manifest_of(files: Mapping[str, bytes]) -> bytes:
    """The content of the list for files by relative path."""
    return _listing(digests(files)).encode("utf-8")


def _listing(files: dict[str, str]) -> str:
    return _ManifestFile(files=files).model_dump_json(indent=1) + "\n"


def read_manifest(folder: int) -> dict[str, str]:
    """SHA-256 by relative path of what a build wrote; empty if there is no list, or a damaged one.

    Args:
        folder: the descriptor of the build's folder.
    """
    try:
        data = _read(folder, MARKER, _MOST_BYTES)
        files = _ManifestFile.model_validate_json(data).files
    except (OSError, ValidationError, ValueError):
        return {}
    deep = any(len(PurePosixPath(name).parts) > _MOST_PARTS for name in files)
    return {} if deep else files


def sort_files(folder: int, *, remove: bool = False) -> Sorted:
    """Tell the build's files from others.

    Links are never followed.

    Args:
        folder: the descriptor of the build's folder.
        remove: whether to remove all but the others, and the folders that are empty then.

    Raises:
        OSError: something cannot be read or removed.
    """
    files = read_manifest(folder)
    parents = {str(parent) for name in files for parent in PurePosixPath(name).parents}
    found = Sorted()
    _sort(folder, PurePosixPath("."), files, parents, found, remove=remove)
    if MARKER in found.others and kind_of(MARKER, folder) == stat.S_IFREG:
        found.others.remove(MARKER)
        if remove and not found.others:
            os.unlink(MARKER, dir_fd=folder)
    return found


def add_to_build(folder: Path, name: str, content: str) -> None:
    """Write a file into a build's folder, as one of the build's.

    Raises:
        InputError: it cannot be written, or somebody else's file has that name.
    """
    data = content.encode("utf-8")
    try:
        with open_folder(folder) as descriptor:
            files = read_manifest(descriptor)
            if kind_of(name, descriptor) is not None and not _is_listed(descriptor, name, files):
                raise InputError(
                    f"{folder / name}: was not made by tinyflow, and would be replaced",
                    hint="Move it away, or name another file.",
                )
            write_in(descriptor, name, data)
            if files:
                files[name] = hashlib.sha256(data).hexdigest()
                write_in(descriptor, MARKER, _listing(dict(sorted(files.items()))))
    except OSError as error:
        raise unwritable(folder / name, error) from error


def _sort(
    folder: int,
    path: PurePosixPath,
    files: Mapping[str, str],
    parents: set[str],
    found: Sorted,
    *,
    remove: bool,
) -> None:
    with os.scandir(folder) as entries:
        listing = sorted(
            (entry.name, entry.is_dir(follow_symlinks=False), entry.is_file(follow_symlinks=False))
            for entry in entries
        )
    for name, is_folder, is_file in listing:
        inner = path / name
        if is_folder and str(inner) in parents:
            with open_folder(name, inside=folder) as descriptor:
                _sort(descriptor, inner, files, parents, found, remove=remove)
            if remove:
                with contextlib.suppress(OSError):  # others are left in it
                    os.rmdir(name, dir_fd=folder)
        elif is_folder and (_is_remade(inner) or _is_spare(folder, name)):
            found.remade.append(f"{inner}/")
            if remove:
                shutil.rmtree(name, dir_fd=folder)
        elif is_folder:
            found.others.append(f"{inner}/")
        elif is_file and _has_digest(folder, name, files.get(str(inner))):
            found.built.append(str(inner))
            if remove:
                os.unlink(name, dir_fd=folder)
        elif _is_remade(inner):
            found.remade.append(str(inner))
            if remove:
                os.unlink(name, dir_fd=folder)
        else:
            found.others.append(str(inner))


def _is_spare(folder: int, name: str) -> bool:
    """Whether a folder in which the build has nothing is empty, or holds compiled modules only."""
    with open_folder(name, inside=folder) as descriptor, os.scandir(descriptor) as entries:
        return all(
            name == "__pycache__"
            and entry.name.endswith(".pyc")
            and entry.is_file(follow_symlinks=False)
            for entry in entries
        )


def _is_remade(path: PurePosixPath) -> bool:
    return path.parts[0] == WORKSPACE and len(path.parts) > 1


def _is_listed(folder: int, name: str, files: Mapping[str, str]) -> bool:
    return kind_of(name, folder) == stat.S_IFREG and _has_digest(folder, name, files.get(name))


def _has_digest(folder: int, name: str, digest: str | None) -> bool:
    if digest is None:
        return False
    try:
        return hashlib.sha256(_read(folder, name)).hexdigest() == digest
    except OSError:
        return False


def _read(folder: int, name: str, limit: int | None = None) -> bytes:
    """The content of a file that is no link."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or (limit is not None and status.st_size > limit):
            raise OSError(f"{name}: not a file, or too large")
        return file.read()
