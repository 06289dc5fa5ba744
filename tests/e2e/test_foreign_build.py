# SPDX-License-Identifier: Apache-2.0
"""Builds that came from somebody else: nothing in them is run on the host, followed or lost."""

from __future__ import annotations

import importlib.util
import json
import marshal
import os
import pickle
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinyflow as package
from tests.support.command_line import CommandLine, snapshot
from tests.support.made_once import made_once
from tests.support.small_model import INPUT_SHAPE, small_model
from tinyflow.boards import load_board
from tinyflow.emulate import renode
from tinyflow.errors import InputError
from tinyflow.resources import FIRMWARE
from tinyflow.storage.manifest import MARKER, WORKSPACE, manifest_of
from tinyflow.toolchain.platformio import elf_path
from tinyflow.tools.build_folder import read_build

BOARD = "stm32f407"
ELF = f"{WORKSPACE}/build/{BOARD}/firmware.elf"

pytestmark = pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished build of the small model."""

    def make(folder: Path) -> None:
        (folder / "small.tflite").write_bytes(small_model())
        package.build(folder / "small.tflite", board=BOARD, output=folder / "out")

    return made_once(tmp_path_factory, "foreign-build", make) / "out"


@pytest.fixture
def out(built: Path, tmp_path: Path) -> Path:
    """A copy of that build, to be poisoned."""
    return shutil.copytree(built, tmp_path / "out", symlinks=True)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """File that is written by code that should not run."""
    return tmp_path / "ran"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    (tmp_path / "small.tflite").write_bytes(small_model())
    return tmp_path / "small.tflite"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.zeros(INPUT_SHAPE, np.int8))
    return tmp_path / "x.npy"


def listed(out: Path) -> None:
    """Bring the list up to date, as whoever ships the folder can."""
    files = {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != MARKER
    }
    (out / MARKER).write_bytes(manifest_of(files))


# ---------------------------------------------------------------- what a build would execute


def touching(mark: Path) -> str:
    return f"\nopen({str(mark)!r}, 'w').close()\n"


def compiled(source: str, path: Path) -> None:
    """A module that Python loads without a look at the source."""
    code = compile(source, "x", "exec")
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = struct.pack("<I", 0b01) + bytes(8)
    path.write_bytes(importlib.util.MAGIC_NUMBER + flags + marshal.dumps(code))


class _Touch:
    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self._mark}'",)


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def script(mark: Path) -> str:
    return "Import('env')" + touching(mark)


def poison_pyc(out: Path, mark: Path) -> None:
    tag = sys.implementation.cache_tag
    for name in ("platform.py", "builder/main.py"):
        source = (FIRMWARE / "platform" / name).read_text() + touching(mark)
        path = out / "platform" / name
        compiled(source, path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")


def poison_sconsign(out: Path, mark: Path) -> None:
    version = f"{sys.version_info[0]}{sys.version_info[1]}"
    for name in (f".sconsign{version}.dblite", f".sconsign{version}.tmp", ".sconsign.dblite"):
        for folder in (WORKSPACE, f"{WORKSPACE}/build", f"{WORKSPACE}/build/{BOARD}", "."):
            (out / folder / name).write_bytes(pickle.dumps({"x": _Touch(mark)}))


def poison_site(out: Path, mark: Path) -> None:
    (out / "site_scons").mkdir()
    (out / "site_scons" / "site_init.py").write_text(touching(mark))


def poison_ini(out: Path, mark: Path) -> None:
    append(out / "platformio.ini", "extra_scripts = pre:hook.py, post:hook.py\n")
    (out / "hook.py").write_text(script(mark))


def poison_library(out: Path, mark: Path) -> None:
    for library in (out / "lib" / "small", out / "lib" / "other"):
        library.mkdir(exist_ok=True)
        (library / "hook.py").write_text(script(mark))
        (library / "x.c").write_text("int x;\n")
        (library / "library.json").write_text(
            json.dumps({"name": library.name, "build": {"extraScript": "hook.py"}})
        )


def poison_libdeps(out: Path, mark: Path) -> None:
    folder = out / WORKSPACE / "libdeps" / BOARD / "other"
    folder.mkdir(parents=True)
    (folder / "hook.py").write_text(script(mark))
    (folder / "library.json").write_text(
        json.dumps({"name": "other", "build": {"extraScript": "hook.py", "libArchive": False}})
    )


def poison_platform(out: Path, mark: Path) -> None:
    append(out / "platform" / "platform.py", touching(mark))
    append(out / "platform" / "builder" / "main.py", touching(mark))


def poison_linked_platform(out: Path, mark: Path) -> None:
    """PlatformIO keeps where a platform lies in its workspace."""
    other = shutil.copytree(out / "platform", out / "other")
    append(other / "platform.py", touching(mark))
    link = out / WORKSPACE / "platforms" / "tinyflow.pio-link"
    link.parent.mkdir(parents=True)
    link.write_text(json.dumps({"cwd": str(out), "spec": {"uri": f"symlink://{other}"}}))


def poison_modules(out: Path, mark: Path) -> None:
    for name in ("platform", "click", "SCons", "json", "sitecustomize", "conftest"):
        (out / f"{name}.py").write_text(touching(mark))


def poison_board(out: Path, mark: Path) -> None:
    path = out / "platform" / "boards" / f"{BOARD}.json"
    board = json.loads(path.read_text())
    board["build"]["cpu"] = f"cortex-m4 ; touch '{mark}' ;"
    path.write_text(json.dumps(board))


POISON: dict[str, Callable[[Path, Path], None]] = {
    name.removeprefix("poison_"): function
    for name, function in globals().items()
    if name.startswith("poison_")
}


def touch_marker(out: Path) -> None:
    (out / MARKER).write_bytes(b"")


@pytest.mark.parametrize("shipped", [lambda out: None, touch_marker, listed])
@pytest.mark.parametrize("case", POISON)
def test_a_build_runs_nothing_of_a_former_one(
    case: str,
    shipped: Callable[[Path], None],
    tinyflow: CommandLine,
    built: Path,
    out: Path,
    small: Path,
    mark: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A folder is replaced if its list shows that a build made all of it, else it is left alone."""
    POISON[case](out, mark)
    shipped(out)
    before = snapshot(out)
    monkeypatch.chdir(out.parent)
    outcome = tinyflow("build", small, "--board", BOARD, "--output", out)
    assert not mark.exists()
    assert outcome.code in (0, 3)
    if outcome.code:
        assert "holds files that tinyflow did not make" in outcome.err
        assert snapshot(out) == before
    else:
        assert snapshot(out) == snapshot(built)


def test_the_poison_works(out: Path, mark: Path) -> None:
    """The control: plain PlatformIO, which the user runs, does run what lies there."""
    poison_ini(out, mark)
    subprocess.run(
        [sys.executable, "-m", "platformio", "run"], cwd=out, capture_output=True, check=False
    )
    assert mark.exists()


def test_a_build_after_plain_pio_run(tinyflow: CommandLine, out: Path, small: Path) -> None:
    image = (out / ELF).read_bytes()
    command = [sys.executable, "-m", "platformio", "run"]
    subprocess.run(command, cwd=out, capture_output=True, check=True)
    assert elf_path(out).read_bytes() == image
    assert tinyflow("build", small, "--board", BOARD, "--output", out).code == 0
    assert elf_path(out).read_bytes() == image


# ------------------------------------------------------------- other commands on such a folder


def poisoned(out: Path, mark: Path) -> None:
    """Everything at once, in a folder without a build."""
    for function in (poison_pyc, poison_site, poison_ini, poison_platform, poison_modules):
        function(out, mark)
    name = read_build(out).report.model.name
    (out / "renode" / "evil.py").write_text(touching(mark))
    for path in (out / "renode" / "tinyflow_harness.py", out / "renode" / "tinyflow_measure.py"):
        path.write_text(touching(mark))
    append(out / "renode" / f"{name}.resc", "\ninclude @evil.py\n")
    suite = out / "renode" / f"{name}.robot"
    settings = "*** Settings ***\n"
    suite.write_text(suite.read_text().replace(settings, f"{settings}Library  evil.py\n"))
    (out / "openocd.cfg").write_text(f"exec touch {mark}\n")


def test_flash_programs_the_image_and_runs_nothing_else(
    tinyflow: CommandLine, out: Path, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    log = tmp_path / "log"
    log.mkdir()
    (tools / "openocd").write_text(
        "#!/bin/sh\n"
        f'pwd > {log}/cwd; echo "$@" > {log}/arguments\n'
        "image=$(echo \"$@\" | sed 's/.*program {\\([^}]*\\)}.*/\\1/')\n"
        f'cp "$image" {log}/elf\n'
    )
    (tools / "openocd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.chdir(out)
    poisoned(out, mark)
    before = snapshot(out)
    outcome = tinyflow("flash", out)
    assert outcome.code == 0, outcome.err
    assert (log / "elf").read_bytes() == (out / ELF).read_bytes()
    assert str(out) not in (log / "cwd").read_text() + (log / "arguments").read_text()
    assert "target/stm32f4x.cfg" in (log / "arguments").read_text()
    assert not mark.exists()
    assert snapshot(out) == before


def test_flash_writes_to_flash_only(tinyflow: CommandLine, out: Path) -> None:
    data = bytearray((out / ELF).read_bytes())
    (offset,) = struct.unpack_from("<I", data, 28)
    assert struct.unpack_from("<I", data, offset)[0] == 1  # the first segment is loaded
    struct.pack_into("<I", data, offset + 12, 0x1FFFC000)  # option bytes
    (out / ELF).write_bytes(data)
    tinyflow.refused(3, "flash", out, says=("writes to 0x1FFFC000, outside the flash",))


@pytest.fixture
def python_for_robot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replacement for the Python that renode-test runs, which lacks no module."""
    folder = tmp_path / "python"
    folder.mkdir()
    (folder / "python3").write_text("#!/bin/sh\nexit 0\n")
    (folder / "python3").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


@pytest.mark.usefixtures("python_for_robot")
def test_the_suite_that_runs_is_written_anew(
    tinyflow: CommandLine, out: Path, mark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the image and the vectors of the folder reach Renode and Robot Framework."""
    fresh = tmp_path / "fresh"
    program = tmp_path / "renode-test"
    program.write_text(f'#!/bin/sh\ncp -r "$(dirname "$3")/.." {fresh}\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv(renode.VARIABLE, str(program))
    written = snapshot(out)
    poisoned(out, mark)
    before = snapshot(out)
    tinyflow.refused(13, "test", out, says=("ended before it ran the tests",))
    assert snapshot(out) == before
    found = snapshot(fresh)
    name = read_build(out).report.model.name
    script = found.pop(f"renode/{name}.resc")
    assert script is not None and b"../firmware.elf" in script and b"evil" not in script
    assert found.pop("firmware.elf") == (out / ELF).read_bytes()
    robot = {"renode/tinyflow_harness.py", f"renode/{name}.robot"}
    assert {*robot, "vectors/input_0.npy", "vectors/output_0.npy"} < set(found)
    assert {file: written[file] for file in found} == found


@pytest.mark.usefixtures("python_for_robot")
@pytest.mark.parametrize(
    "damage",
    [
        lambda path: np.save(path, np.array([_Touch(path)], object), allow_pickle=True),
        lambda path: np.savez(path.open("wb"), x=np.zeros(3)),
        lambda path: np.save(path, np.zeros((20, 8, 8, 3), np.float32)),
        lambda path: path.write_bytes(
            b"\x93NUMPY\x01\x00\x76\x00"
            + b"{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999,)}".ljust(118)
        ),
        lambda path: path.unlink(),
        lambda path: (path.rename(path.parent / "v"), path.symlink_to("v")),
    ],
)
def test_vectors_are_arrays(
    damage: Callable[[Path], object],
    tinyflow: CommandLine,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = tmp_path / "renode-test"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv(renode.VARIABLE, str(program))
    damage(out / "vectors" / "input_0.npy")
    tinyflow.refused(3, "test", out, says=("vectors/input_0.npy",))


ROBOT = "int8\n*** Settings ***\nLibrary    evil.py"


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("model", "name"), 'x"\ninclude @evil.py\n'),
        (("model", "name"), "../../x"),
        (("model", "sha256"), "ab" * 31 + "\n*"),
        (("model", "inputs", 0, "dtype"), ROBOT),
        (("model", "outputs", 0, "dtype"), ROBOT),
        (("latency", "instructions"), 0),
        (("latency", "cycles"), -1),
        (("artifacts", "elf"), "/etc/passwd"),
        (("artifacts", "elf"), "../small.tflite"),
        (("artifacts", "elf"), ""),
        (("board", "id"), "../../evil"),
    ],
)
def test_a_report_is_checked_before_it_reaches_a_script(
    keys: tuple[str | int, ...], value: object, tinyflow: CommandLine, out: Path, samples: Path
) -> None:
    path = out / "report.json"
    report = inner = json.loads(path.read_text())
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(report))
    outcome = tinyflow("run", out, "--inputs", samples, "--target", "renode", "--json")
    assert outcome.code == 3, outcome.err


@pytest.mark.parametrize("name", ["report.json", "plan.json", "model.tflite", ELF, WORKSPACE])
def test_links_in_a_build_are_not_followed(out: Path, tmp_path: Path, name: str) -> None:
    (out / name).rename(tmp_path / "moved")
    (out / name).symlink_to(tmp_path / "moved")
    with pytest.raises(InputError, match="is a link"):
        read_build(out)


# --------------------------------------------------------------------------------- writers


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    (tmp_path / "thesis").write_text("years of work")
    return tmp_path / "thesis"


def test_a_profile_is_one_of_the_builds_files(
    tinyflow: CommandLine, out: Path, small: Path, thesis: Path
) -> None:
    page = out / "profile.html"
    page.symlink_to(thesis)
    tinyflow.refused(3, "profile", out, says=("profile.html: was not made by tinyflow",))
    page.unlink()
    page.write_text("mine")
    tinyflow.refused(3, "profile", out, says=("profile.html: was not made by tinyflow",))
    assert page.read_text() == "mine"
    page.unlink()
    (out / ".profile.html.part").symlink_to(thesis)
    for _ in range(2):  # the second replaces what the first wrote
        assert tinyflow("profile", out).code == 0
    assert "<html" in page.read_text()
    (out / ".profile.html.part").unlink()
    assert tinyflow("build", small, "--board", BOARD, "--output", out).code == 0
    assert not page.exists()
    assert tinyflow("profile", out, "--html", page).code == 0
    assert tinyflow("build", small, "--board", BOARD, "--output", out).code == 0
    assert thesis.read_text() == "years of work"


def test_outputs_and_pages_are_not_written_through_links(
    tinyflow: CommandLine, built: Path, samples: Path, thesis: Path, tmp_path: Path
) -> None:
    for name in ("link", "dangling", ".y.npy.part"):
        (tmp_path / name).symlink_to(thesis if name != "dangling" else tmp_path / "nowhere")
    (tmp_path / "twice").hardlink_to(thesis)
    for name in ("link", "dangling"):
        y = tmp_path / name
        tinyflow.refused(3, "run", built, "--inputs", samples, "--outputs", y, says=(str(y),))
        tinyflow.refused(3, "profile", built, "--html", y, says=(str(y),))
    for name in ("twice", "y.npy"):
        assert tinyflow("run", built, "--inputs", samples, "--outputs", tmp_path / name).code == 0
        assert np.load(tmp_path / name).shape == (1, 1, 4)
    assert thesis.read_text() == "years of work"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("target", ["thesis", "nowhere"])
def test_init_writes_through_no_link(
    tinyflow: CommandLine,
    small: Path,
    thesis: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    force: tuple[str, ...],
    target: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tinyflow.toml").symlink_to(target)
    tinyflow.refused(3, "init", small.name, *force, says=("tinyflow.toml",))
    assert thesis.read_text() == "years of work"
    assert not Path("nowhere").exists()


def test_the_image_is_of_the_board(out: Path) -> None:
    assert read_build(out).elf == out / ELF
    assert load_board(BOARD).flash.origin == 0x08000000
