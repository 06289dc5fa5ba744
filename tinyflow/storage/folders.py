# SPDX-License-Identifier: Apache-2.0
"""Writes generated files so that an unchanged build stays untouched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from tinyflow.storage.files import unwritable, write_file


def write_if_changed(path: Path, content: str | bytes) -> bool:
    """Write a file unless it holds that content already; returns whether it was written.

    Raises:
        InputError: it cannot be written, or a link, a folder or a device has that name.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not path.is_symlink() and path.is_file() and path.read_bytes() == data:
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    write_file(path, data)
    return True


def write_folder(
    folder: Path, files: Mapping[str, str | bytes], *, keep: Collection[str] = ()
) -> None:
    """Make a generated folder hold exactly those files, by relative path.

    What is unchanged keeps its time stamp; everything else below the folder is removed, links
    first, but for the caches Python leaves next to its sources.

    Args:
        folder: the folder; created if missing.
        files: content by relative path.
        keep: names in the folder that are left alone.

    Raises:
        InputError: a file cannot be written.
    """
    wanted = {folder / name for name in files}
    kept = {folder / name for name in keep}
    for path in sorted(folder.rglob("*"), reverse=True):
        if kept.intersection((path, *path.parents)):
            continue
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.is_symlink() or (path not in wanted and path.parent.name != "__pycache__"):
            path.unlink()
    for name, content in files.items():
        write_if_changed(folder / name, content)
