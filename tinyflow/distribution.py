"""Names the distribution on PyPI, where `tinyflow` is the name of another project."""

from __future__ import annotations

#: What `pip install` takes; the import name and the command are `tinyflow`.
DISTRIBUTION = "tinyflow-mcu"


def install_hint(*extras: str) -> str:
    """Give the command that installs the distribution with some of its extras."""
    wanted = f"[{','.join(extras)}]" if extras else ""
    return f"pip install '{DISTRIBUTION}{wanted}'"
