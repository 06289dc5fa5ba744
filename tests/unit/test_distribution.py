# SPDX-License-Identifier: Apache-2.0
"""The distribution's name, and the lock file that `scripts/setup` installs."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tinyflow.distribution import DISTRIBUTION, install_hint

ROOT = Path(__file__).resolve().parents[2]
LOCKED_EXTRAS = ("keras", "cmsis-nn", "examples", "dev", "docs")
#: The Pythons that the lock is for, as markers see them.
PYTHONS = ("3.11", "3.12", "3.13")


def _project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def _pinned() -> list[tuple[Requirement, int]]:
    """Every requirement of the lock, and how many hashes it has."""
    found = []
    for entry in _lock().replace("\\\n", " ").splitlines():
        if not entry or entry.lstrip().startswith("#"):
            continue
        text, *hashes = re.split(r"\s+--hash=sha256:", entry.strip())
        assert all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes), entry
        found.append((Requirement(text), len(hashes)))
    return found


def test_one_place_holds_the_name() -> None:
    assert _project()["project"]["name"] == DISTRIBUTION  # type: ignore[index]
    assert install_hint() == f"pip install '{DISTRIBUTION}'"
    assert install_hint("keras", "examples") == f"pip install '{DISTRIBUTION}[keras,examples]'"


def test_nothing_tells_to_install_the_strangers_package() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if tracked == [""]:
        pytest.skip("not a checkout")
    wrong = re.compile(r"pip3? install[^\n`]*[ '\"=]tinyflow(?![-\w./])")
    for name in tracked:
        path = ROOT / name
        if path.suffix in {".py", ".md", ".j2", ".toml", ""} and path.is_file():
            assert not wrong.search(path.read_text(encoding="utf-8", errors="replace")), name


def test_every_extra_of_a_hint_exists() -> None:
    extras = _project()["project"]["optional-dependencies"]  # type: ignore[index]
    for path in [*ROOT.glob("tinyflow/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]:
        text = path.read_text(encoding="utf-8")
        for named in re.findall(re.escape(DISTRIBUTION) + r"\[([\w,-]+)\]", text):
            assert set(named.split(",")) <= set(extras), path
        for named in re.findall(r"install_hint\(([^)]*)\)", text):
            if '"' in named:
                assert set(re.findall(r'"([\w-]+)"', named)) <= set(extras), path


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_and_project_agree(python: str) -> None:
    project = _project()
    wanted = list(project["project"]["dependencies"])  # type: ignore[index]
    for extra in LOCKED_EXTRAS:
        wanted += project["project"]["optional-dependencies"][extra]  # type: ignore[index]
    wanted += project["dependency-groups"]["build"]  # type: ignore[index]
    wanted += project["build-system"]["requires"]  # type: ignore[index]
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
    }
    locked: dict[str, str] = {}
    for requirement, _ in _pinned():
        if requirement.marker is None or requirement.marker.evaluate(environment):
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            assert locked.setdefault(canonicalize_name(requirement.name), pin.version)
    for text in wanted:
        requirement = Requirement(text)
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{text} is not locked: run scripts/lock"
        assert requirement.specifier.contains(version, prereleases=True), (
            f"{text}, but {version} is locked: run scripts/lock"
        )


def test_the_lock_has_hashes_and_names_no_place() -> None:
    assert len(_pinned()) > len(LOCKED_EXTRAS)
    for requirement, hashes in _pinned():
        assert hashes > 0, requirement
        assert requirement.url is None
    for word in ("://", "--index", "--extra-index", "--find-links", "--trusted-host"):
        assert word not in _lock()


def test_setup_installs_the_lock() -> None:
    text = (ROOT / "scripts" / "setup").read_text(encoding="utf-8")
    assert "--require-hashes" in text and "requirements.lock" in text
