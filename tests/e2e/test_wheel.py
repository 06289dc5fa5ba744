# SPDX-License-Identifier: Apache-2.0
"""The wheel with its base dependencies builds firmware with no network and no CMSIS-NN."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.small_model import small_model
from tinyflow.distribution import DISTRIBUTION

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(
        shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
    ),
    pytest.mark.skipif(
        importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed"
    ),
]


def _closure(requirements: list[str]) -> Iterator[importlib.metadata.Distribution]:
    """The installed distributions that some requirements need, extras of none of ours."""
    pending, seen = [Requirement(text) for text in requirements], set()
    while pending:
        requirement = pending.pop()
        environments = [{"extra": extra} for extra in (requirement.extras or {""})]
        if requirement.marker and not any(map(requirement.marker.evaluate, environments)):
            continue
        name = canonicalize_name(requirement.name)
        if name in seen:
            continue
        seen.add(name)
        distribution = importlib.metadata.distribution(name)
        yield distribution
        for text in distribution.requires or []:
            inner = Requirement(text)
            extras = requirement.extras or {""}
            if inner.marker is None or any(inner.marker.evaluate({"extra": e}) for e in extras):
                inner.marker = None
                pending.append(inner)


def _put(source: Path, target: Path) -> None:
    """Links would lead out of the environment, where the oracle's process may not read."""

    def put(one: str, other: str) -> object:
        try:
            return os.link(one, other)
        except OSError:  # another file system
            return shutil.copy2(one, other)

    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "tests")
        shutil.copytree(source, target, copy_function=put, ignore=ignored)
    else:
        put(str(source), str(target))


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and its base dependencies alone.

    The dependencies are copies of what is installed here, so that nothing is fetched.
    """
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name.startswith(DISTRIBUTION.replace("-", "_") + "-")
    venv.create(folder / "venv", with_pip=False)
    (packages,) = folder.glob("venv/lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
        (metadata,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
    assert f"Name: {DISTRIBUTION}\n" in (packages / metadata).read_text(encoding="utf-8")
    base = [
        text
        for text in importlib.metadata.PathDistribution(packages / metadata.split("/")[0]).requires
        or []
        if "extra ==" not in text
    ]
    for distribution in _closure(base):
        for file in distribution.files or []:
            top = file.parts[0]
            source, target = Path(str(distribution.locate_file(top))), packages / top
            if top not in {"..", "__pycache__"} and not target.exists() and source.exists():
                _put(source, target)
    return folder / "venv" / "bin" / "python"


def _offline() -> list[str]:
    """The prefix that runs a command in a separate network namespace, if that is allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return []
    command = [unshare, "--user", "--map-current-user", "--net"]
    works = subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
    return command if works else []


def test_the_wheel_builds_offline(python: Path, tmp_path: Path) -> None:
    (tmp_path / "small.tflite").write_bytes(small_model())
    (tmp_path / "home").mkdir()
    kept = {"PATH", "LANG", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE"}
    environment = {name: value for name, value in os.environ.items() if name in kept} | {
        "HOME": str(tmp_path / "home"),
        "TINYFLOW_CACHE": str(tmp_path / "cache"),
        "PLATFORMIO_CORE_DIR": str(tmp_path / "platformio"),
        "CMSIS_PACK_ROOT": str(tmp_path / "packs"),
        # Without a separate network namespace, nothing is reached through a proxy.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }

    def tinyflow(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; sys.argv[0] = 'tinyflow'; from tinyflow.cli.app import main; main()"
        return subprocess.run(
            [*_offline(), str(python), "-I", "-c", code, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    found = {each["name"]: each for each in json.loads(tinyflow("doctor", "--json").stdout)}
    assert found["PlatformIO"]["present"]
    for absent in ("CMSIS-NN", "TensorFlow", "Keras"):
        assert not found[absent]["present"]
        assert DISTRIBUTION in found[absent]["install"]
    built = tinyflow("build", "small.tflite", "--board", "stm32f746", "--vectors", "4", "--json")
    assert built.returncode == 0, built.stderr
    report = json.loads(built.stdout)
    assert (report["exact"]["vectors"], report["exact"]["mismatches"]) == (4, 0)
    assert all(layer["generated"] for layer in report["layers"])
    assert "lib_deps" not in (tmp_path / "build/stm32f746/platformio.ini").read_text()
    refused = tinyflow("build", "net.keras", "--board", "stm32f746", "--json")
    assert refused.returncode == 3
