# SPDX-License-Identifier: Apache-2.0
"""Every source names its licence."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {".S", ".c", ".css", ".h", ".j2", ".js", ".ld", ".py", ".repl", ".toml", ".yaml", ".yml"}


@pytest.mark.skipif(
    shutil.which("git") is None or not (ROOT / ".git").exists(), reason="not a checkout"
)
def test_every_source_names_its_licence() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    sources = [ROOT / name for name in listed if Path(name).suffix in SOURCES]
    assert sources
    without = [
        str(source.relative_to(ROOT))
        for source in sources
        if source.is_file() and "SPDX-License-Identifier: Apache-2.0" not in source.read_text()
    ]
    assert not without, "these need an SPDX line"
