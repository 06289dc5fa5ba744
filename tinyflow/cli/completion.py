# SPDX-License-Identifier: Apache-2.0
"""Shell completion for arguments: boards, build folders, operators, targets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_REPORT = "report.json"


def complete_board(incomplete: str) -> list[str]:
    """Boards that begin so."""
    from tinyflow.boards import board_ids

    return [board for board in board_ids() if board.startswith(incomplete)]


def complete_build(incomplete: str) -> list[str]:
    """Finished builds below a path that begins so, else the folders to look in."""
    head, _, start = incomplete.rpartition("/")
    folder = Path(head or ("/" if incomplete.startswith("/") else "."))
    prefix = incomplete[: len(incomplete) - len(start)]
    offered = []
    for entry in _folders(folder, start):
        builds = [inner.name for inner in _folders(entry, "") if (inner / _REPORT).is_file()]
        if (entry / _REPORT).is_file():
            offered.append(f"{prefix}{entry.name}")
        elif builds:
            offered += [f"{prefix}{entry.name}/{name}" for name in builds]
        else:
            offered.append(f"{prefix}{entry.name}/")
    builds_first = [each for each in offered if not each.endswith("/")]
    return builds_first or offered


def complete_operator(incomplete: str) -> list[str]:
    """Names of operators that begin so, in either case."""
    from tinyflow.kernels.catalogue import services

    names = dict.fromkeys(service.operator for service in services())
    return [name for name in names if name.startswith(incomplete.upper())]


def complete_target(incomplete: str) -> list[str]:
    """Complete the targets that firmware can run on."""
    return [each for each in ("simulator", "renode", "serial:") if each.startswith(incomplete)]


def _folders(folder: Path, start: str) -> Iterator[Path]:
    """The folders in a folder whose names begin so; hidden ones only where asked for."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        hidden = entry.name.startswith(".") and not start.startswith(".")
        if entry.name.startswith(start) and not hidden and entry.is_dir():
            yield entry
