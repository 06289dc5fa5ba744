# SPDX-License-Identifier: Apache-2.0
"""The generated project, built by the real PlatformIO for every board."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_model import write_fake_model, write_project
from tinyflow.boards import load_board
from tinyflow.errors import BuildError, DeviceError, FitError, InputError, ToolMissingError
from tinyflow.toolchain.elf import read_image
from tinyflow.toolchain.platformio import build_project, upload

BOARDS = ["nrf52840", "stm32f407", "stm32f746", "stm32l4r5"]


@pytest.fixture(scope="module", autouse=True)
def core_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """PlatformIO's own folder, shared by the tests and apart from the user's."""
    folder = tmp_path_factory.mktemp("platformio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLATFORMIO_CORE_DIR", str(folder))
        yield folder


@pytest.fixture
def no_tools_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without compiler and programmer, whose registry is out of reach."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def snapshot(folder: Path) -> dict[str, int]:
    return {
        path.relative_to(folder).as_posix(): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and ".pio" not in path.parts and "__pycache__" not in path.parts
    }


@pytest.mark.parametrize("board_id", BOARDS)
def test_it_builds_without_a_warning_and_is_small(board_id: str, tmp_path: Path) -> None:
    board = load_board(board_id)
    write_fake_model(tmp_path, board)
    lines: list[str] = []
    image = read_image(build_project(tmp_path, on_line=lines.append))
    assert not [line for line in lines if "warning" in line.lower()]
    assert image.flash_bytes < 4096
    assert image.weights_bytes == 16
    assert image.arena_bytes("plus_one") == 32
    assert image.stack_bytes == board.stack_size
    assert image.segments[0].address == board.flash.origin
    stack_pointer = int.from_bytes(image.segments[0].data[:4], "little")
    assert stack_pointer == board.ram.origin + board.stack_size


def test_plain_pio_run_builds_it(tmp_path: Path) -> None:
    write_fake_model(tmp_path, load_board("stm32f746"))
    environment = {**os.environ, "PLATFORMIO_DISABLE_UPGRADE_CHECK": "true"}
    done = subprocess.run(
        [sys.executable, "-m", "platformio", "run"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / ".pio" / "build" / "stm32f746" / "firmware.elf").is_file()


def test_the_image_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    images = []
    for name in ("one", "another one"):
        write_fake_model(tmp_path / name, load_board("nrf52840"))
        images.append(build_project(tmp_path / name).read_bytes())
    assert images[0] == images[1]


def test_files_beside_a_model_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("grp", "click", "platform"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('of the user')\n")
    monkeypatch.chdir(tmp_path)
    write_fake_model(tmp_path / "project", load_board("nrf52840"))
    assert build_project(tmp_path / "project").is_file()


def test_an_unchanged_project_is_not_touched_nor_compiled_again(tmp_path: Path) -> None:
    board = load_board("stm32f407")
    write_project(tmp_path, board)
    stamps = snapshot(tmp_path)
    write_fake_model(tmp_path, board)
    build_project(tmp_path)
    write_project(tmp_path, board)
    after = snapshot(tmp_path)
    assert {name: after[name] for name in stamps} == stamps
    lines: list[str] = []
    build_project(tmp_path, on_line=lines.append)
    assert not [line for line in lines if line.startswith(("Compiling", "Linking"))]


def test_stale_files_of_another_board_go(tmp_path: Path) -> None:
    write_project(tmp_path, load_board("stm32f407"))
    write_project(tmp_path, load_board("nrf52840"))
    assert not (tmp_path / "platform" / "mcu" / "stm32f4.c").exists()
    assert [path.name for path in (tmp_path / "platform" / "boards").iterdir()] == ["nrf52840.json"]


def test_an_unknown_family(tmp_path: Path) -> None:
    board = load_board("stm32f407").model_copy(update={"family": "z80"})
    with pytest.raises(InputError, match="no microcontroller family 'z80'"):
        write_project(tmp_path, board)


def test_a_compiler_error_is_shown(tmp_path: Path) -> None:
    write_fake_model(tmp_path, load_board("stm32f407"))
    edit(tmp_path / "lib/plus_one/plus_one.c", "return 0;", "return nothing;")
    with pytest.raises(BuildError, match=r"plus_one\.c:\d+:\d+: error: 'nothing' undeclared"):
        build_project(tmp_path)


def test_a_warning_in_own_code_is_an_error(tmp_path: Path) -> None:
    write_fake_model(tmp_path, load_board("stm32f407"))
    edit(
        tmp_path / "src/main.c",
        "tinyflow_mcu_init();",
        "tinyflow_mcu_init(); int8_t narrow = index;",
    )
    edit(tmp_path / "src/main.c", "int main(void) {", "int main(void) { int index = 0;")
    with pytest.raises(BuildError, match="-Werror"):
        build_project(tmp_path)


def test_an_image_too_large_says_by_how_much(tmp_path: Path) -> None:
    write_fake_model(tmp_path, load_board("stm32f407"))
    edit(tmp_path / "lib/plus_one/plus_one.c", "plus_one_arena[2 * SIZE]", "plus_one_arena[131072]")
    with pytest.raises(FitError, match=r"RAM is 46\d\d bytes short"):
        build_project(tmp_path)


@pytest.mark.usefixtures("no_tools_on_path")
def test_no_compiler_is_told_at_once(tmp_path: Path) -> None:
    write_fake_model(tmp_path, load_board("stm32f407"))
    start = time.monotonic()
    with pytest.raises(ToolMissingError, match="`arm-none-eabi-gcc` is not on PATH") as caught:
        build_project(tmp_path)
    assert time.monotonic() - start < 10
    assert caught.value.hint is not None
    assert "apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi" in caught.value.hint


def test_no_programmer_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake_model(tmp_path / "project", load_board("stm32f407"))
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("gcc", "gcc-ar", "gcc-ranlib", "size"):
        program = shutil.which(f"arm-none-eabi-{name}")
        if program is None:
            pytest.skip("the cross compiler is not on PATH")
        (tools / f"arm-none-eabi-{name}").symlink_to(program)
    (tools / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    with pytest.raises(ToolMissingError, match="`openocd` is not on PATH") as caught:
        upload(tmp_path / "project")
    assert "apt-get install openocd" in str(caught.value)
    build_project(tmp_path / "project")


def test_pyocd_where_the_board_names_it(tmp_path: Path) -> None:
    if importlib.util.find_spec("pyocd") is not None:
        pytest.skip("pyOCD is installed")
    board = load_board("nrf52840")
    write_fake_model(tmp_path, board)
    manifest = tmp_path / "platform" / "boards" / "nrf52840.json"
    edit(manifest, '"protocol": "jlink"', '"protocol": "pyocd"')
    with pytest.raises(ToolMissingError, match="pyOCD is not installed"):
        upload(tmp_path)
    build_project(tmp_path)


def test_no_platformio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_fake_model(tmp_path, load_board("stm32f407"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match="PlatformIO is not installed") as caught:
        build_project(tmp_path)
    assert "pip install platformio" in str(caught.value)


def test_lib_deps_out_of_reach(tmp_path: Path) -> None:
    board = load_board("stm32f407")
    write_fake_model(tmp_path, board, cmsis_nn_lib_deps=f"git+file://{tmp_path}/none#v1")
    with pytest.raises(ToolMissingError, match="lib_deps could not be fetched"):
        build_project(tmp_path)


def test_cmsis_nn_from_lib_deps(tmp_path: Path) -> None:
    """A repository of CMSIS-NN's shape: sources in folders, headers, no manifest."""
    repository = tmp_path / "CMSIS-NN"
    (repository / "Include").mkdir(parents=True)
    (repository / "Source" / "ReluFunctions").mkdir(parents=True)
    (repository / "Include" / "arm_nnfunctions.h").write_text("int arm_two(void);\n")
    (repository / "Source" / "ReluFunctions" / "arm_two.c").write_text(
        '#include "arm_nnfunctions.h"\nint arm_two(void) { char unused = 258; return 2; }\n'
    )
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in ("init -q", "add .", "commit -qm one", "tag v1"):
        subprocess.run([*git, *command.split()], cwd=repository, check=True)

    project = tmp_path / "a project"
    source = f"git+file://{repository}#v1"
    write_fake_model(project, load_board("stm32f407"), cmsis_nn_lib_deps=source)
    model = project / "lib/plus_one/plus_one.c"
    edit(model, "return 0;", "return arm_two() - 2;")
    edit(model, '#include "plus_one.h"', '#include "plus_one.h"\n#include "arm_nnfunctions.h"')
    assert read_image(build_project(project)).symbol("arm_two").size


def test_upload_without_a_probe(tmp_path: Path) -> None:
    if shutil.which("openocd") is None:
        pytest.skip("openocd is not on PATH")
    write_fake_model(tmp_path, load_board("stm32f407"))
    with pytest.raises(DeviceError, match="could not be programmed"):
        upload(tmp_path)
