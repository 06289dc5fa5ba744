# SPDX-License-Identifier: Apache-2.0
"""The distribution's name on PyPI, where `tinyflow` is another project, and its version."""

from __future__ import annotations

#: Name for `pip install`; the import name and the command are `tinyflow`.
DISTRIBUTION = "tinyflow-mcu"
#: The version of the package; the build of the wheel reads it here.
VERSION = "0.1.0"


def install_hint(*extras: str) -> str:
    """Give the command that installs the distribution with some of its extras."""
    wanted = f"[{','.join(extras)}]" if extras else ""
    return f"pip install '{DISTRIBUTION}{wanted}'"
