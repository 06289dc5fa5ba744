# SPDX-License-Identifier: Apache-2.0
"""Locations of the files that are not Python: templates, firmware, boards, Renode descriptions.

In a checkout they are folders next to the package; in a wheel they are in `tinyflow/data`.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def _folder(name: str) -> Path:
    packaged = _PACKAGE / "data" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name


TEMPLATES = _folder("templates")
FIRMWARE = _folder("firmware")
BOARDS = _folder("boards")
RENODE = _folder("renode")
