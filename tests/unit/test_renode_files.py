# SPDX-License-Identifier: Apache-2.0
"""Files for Renode, without running it: platform descriptions, scripts, suites."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tests.support.command_line import CommandLine
from tests.support.fake_model import PLUS_ONE, write_fake_model
from tinyflow.boards import Board, board_ids, load_board
from tinyflow.emulate import renode
from tinyflow.emulate.protocol import HarnessClient
from tinyflow.emulate.renode import Renode, find_renode, find_renode_test
from tinyflow.emulate.renode_script import (
    performance_in_mips,
    render_script,
)
from tinyflow.emulate.robot_suite import run_hil_tests
from tinyflow.errors import (
    DeviceError,
    HilTestError,
    InputError,
    RenodeMissingError,
    ToolMissingError,
)
from tinyflow.report.renode_suite import MAX_VECTORS, write_renode
from tinyflow.report.report_data import (
    BoardSection,
    ExactSection,
    FlashSection,
    InferencesSection,
    KernelsSection,
    LatencySection,
    LayerSection,
    MemorySection,
    ModelSection,
    OverheadSection,
    RamSection,
    Report,
    SplitSection,
    TensorSection,
    WorstSection,
)
from tinyflow.resources import RENODE
from tinyflow.sandbox.loopback import can_enter_loopback
from tinyflow.toolchain.elf import Image
from tinyflow.toolchain.platformio import build_project

pytestmark = pytest.mark.slow

FAILED_SUITE = """\
<robot><suite><test name="Boots"><status status="PASS" starttime="20261122 02:27:06.500"
endtime="20261122 02:27:08.000"/></test><test name="Counts"><kw><status status="FAIL"/></kw>
<status status="FAIL" elapsed="0.5">7 != 8</status></test></suite></robot>
"""


@pytest.fixture(params=board_ids())
def board(request: pytest.FixtureRequest) -> Board:
    return load_board(request.param)


def make_report(board: Board, *, vectors: int = 20) -> Report:
    split = SplitSection(core=9_000_000, branch=0, flash_data=1_000_000, fetch=0, ram=0)
    tensor = TensorSection(name="x", dtype="int8", shape=(1, 4, 4), scale=0.5, zero_point=3)
    return Report(
        tinyflow="0",
        model=ModelSection(
            name="kws",
            source="kws.tflite",
            sha256="ab" * 32,
            macs=1,
            inputs=(tensor,),
            outputs=(tensor.model_copy(update={"shape": ()}),),
        ),
        board=BoardSection(
            id=board.id, name=board.name, mcu=board.mcu, core=board.core, clock_hz=board.clock_hz
        ),
        latency=LatencySection(
            instructions=7_000_001,
            cycles=10_000_000,
            ms=1e10 / board.clock_hz,
            cycles_per_instruction=10_000_000 / 7_000_001,
            error_percent=7,
            error_basis="b",
            split=split,
            overhead=OverheadSection(instructions=0, cycles=0, split=split),
            energy=None,
        ),
        memory=MemorySection(
            ram=RamSection(arena=512, data=0, bss=8, stack=100, total=620, available=1000),
            flash=FlashSection(code=1, weights=1, total=2, available=1000),
        ),
        exact=ExactSection(oracle="o", vectors=vectors, bytes=1, mismatches=0),
        accuracy=None,
        prune=None,
        layers=(
            LayerSection(
                name="l",
                operator="ADD",
                kernel="k",
                macs=1,
                instructions=1,
                cycles=1,
                ms=1.0,
                energy_uj=None,
                split=split,
            ),
        ),
        kernels=KernelsSection(cmsis_nn="4.0.0", origin="o"),
        budget=(),
        artifacts={"elf": ".pio/build/b/firmware.elf"},
    )


def entries(text: str) -> dict[str, tuple[str, int, dict[str, str]]]:
    """Every peripheral of a .repl: its type, address and simple properties."""
    text = re.sub(r"'''.*?'''", "", text, flags=re.DOTALL)
    found = {}
    pattern = r"^(\w+): (\S+) @ sysbus(?: <?(0x[0-9A-Fa-f]+)[^\n]*)?\n((?: {4}[^\n]*\n)*)"
    for match in re.finditer(pattern, text, flags=re.MULTILINE):
        name, kind, address, body = match.groups()
        properties = dict(re.findall(r"^ {4}(\w+): (\S+)$", body, flags=re.MULTILINE))
        found[name] = (kind, int(address or "0", 0), properties)
    return found


def description(board: Board) -> str:
    return (RENODE / board.renode.platform).read_text(encoding="utf-8")


def memories(board: Board) -> dict[str, tuple[list[int], int]]:
    """Every memory of a .repl: its addresses and its size."""
    pattern = r"^(\w+): Memory\.MappedMemory @ (sysbus [^\n{]+|\{[^}]*\})\n +size: (\w+)$"
    return {
        name: ([int(found, 0) for found in re.findall(r"sysbus (\w+)", places)], int(size, 0))
        for name, places, size in re.findall(pattern, description(board), flags=re.MULTILINE)
    }


def test_memory_is_the_boards(board: Board) -> None:
    spans = sorted((place, size) for places, size in memories(board).values() for place in places)
    wanted = [(region.origin, region.size) for region in board.memory]
    if board.code_ram is not None:
        wanted.append((board.code_ram.fetched_from, board.code_ram.size))
    assert joined(spans) == joined(sorted(wanted))


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with those that follow each other put together."""
    found: list[tuple[int, int]] = []
    for origin, size in spans:
        if found and sum(found[-1]) == origin:
            found[-1] = (found[-1][0], found[-1][1] + size)
        else:
            found.append((origin, size))
    return found


def test_ram_on_two_buses_is_one_memory(board: Board) -> None:
    part = board.code_ram
    if part is not None and part.code_origin is not None:
        assert ([part.origin, part.code_origin], part.size) in memories(board).values()


def test_every_peripheral_of_the_board_is_there_and_no_other(board: Board) -> None:
    core = {"cpu", "nvic", "dwt", *memories(board)}
    found = {
        address for name, (_, address, _) in entries(description(board)).items() if name not in core
    }
    assert found == {peripheral.base for peripheral in board.peripherals}


def test_core_and_clock_are_the_boards(board: Board) -> None:
    found = entries(description(board))
    assert found["cpu"][2]["cpuType"].strip('"').rstrip("f") == board.core
    assert int(found["dwt"][2]["frequency"]) == board.clock_hz
    assert int(found["nvic"][2]["systickFrequency"]) == board.clock_hz
    # until a script says otherwise, an instruction takes a cycle
    assert int(found["cpu"][2]["PerformanceInMips"]) == board.clock_hz // 1_000_000


def test_the_uart_is_the_boards(board: Board) -> None:
    kind, address, _ = entries(description(board))[board.renode.uart.removeprefix("sysbus.")]
    assert kind.startswith("UART.")
    assert board.renode.uart == f"sysbus.{board.uart.peripheral}"
    assert address in {p.base for p in board.peripherals if p.name == board.uart.peripheral}


def test_nothing_is_downloaded(board: Board) -> None:
    assert not re.search(r"http|ApplySVD|using ", description(board))


@pytest.mark.parametrize("ratio", [0.6, 0.85, 1.13, 1.36, 1.413, 1.71, 2.2])
def test_virtual_time_is_within_two_percent_of_the_model(board: Board, ratio: float) -> None:
    mips = performance_in_mips(board, ratio)
    assert abs(board.clock_hz / (mips * 1e6) / ratio - 1) < 0.02


def test_files_are_deterministic_and_complete(board: Board, tmp_path: Path) -> None:
    report = make_report(board)
    for name in ("one", "two"):
        write_renode(tmp_path / name, board, report)
    files = {path.name: path.read_bytes() for path in (tmp_path / "one/renode").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "two/renode").iterdir()}
    assert set(files) == {
        board.renode.platform,
        "kws.resc",
        "kws.robot",
        "tinyflow_harness.py",
        "tinyflow_measure.py",
    }
    assert str(tmp_path).encode() not in b"".join(files.values())


def test_an_unchanged_build_is_not_touched(board: Board, tmp_path: Path) -> None:
    write_renode(tmp_path, board, make_report(board))
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "renode").iterdir()}
    write_renode(tmp_path, board, make_report(board))
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "renode").iterdir()}


def test_the_suite_holds_the_reports_figures(board: Board, tmp_path: Path) -> None:
    report = make_report(board, vectors=1000)
    write_renode(tmp_path, board, report)
    suite = (tmp_path / "renode" / "kws.robot").read_text()
    assert re.search(r"\$\{INSTRUCTIONS\} +7000001\n", suite)
    assert re.search(rf"\$\{{CYCLES\}} +{report.latency.cycles}\n", suite)
    assert re.search(rf"\$\{{VECTOR_COUNT\}} +{MAX_VECTORS}\n", suite)
    assert re.search(r"\[digest\] +abababababababab\n", suite)
    assert re.search(r"\[inputs\]\[0\]\[shape\] +1x4x4\n", suite)
    assert re.search(r"\[outputs\]\[0\]\[shape\] +scalar\n", suite)


@pytest.mark.parametrize("state", [0, 64])
def test_the_suite_times_the_vector_that_the_report_names(state: int, tmp_path: Path) -> None:
    board = load_board("stm32f746")
    report = make_report(board, vectors=40)
    worst = WorstSection(vector=3, instructions=1, cycles=1, ms=1.0)
    inferences = InferencesSection(
        vector=31, vectors=40, traced=3, fewest_instructions=1, most_instructions=2, worst=worst
    )
    ram = report.memory.ram.model_copy(update={"state": state})
    memory = report.memory.model_copy(update={"ram": ram})
    report = report.model_copy(update={"inferences": inferences, "memory": memory})
    write_renode(tmp_path, board, report)
    suite = (tmp_path / "renode" / "kws.robot").read_text()
    assert re.search(r"\$\{TIMED_VECTOR\} +31\n", suite)
    assert suite.count("Run Test Vector    ${VECTORS}    ${TIMED_VECTOR}") == 2
    assert suite.count("Run Vectors Before    ${TIMED_VECTOR}") == (2 if state else 0)


def test_the_script_sets_speed_terminal_and_image() -> None:
    board = load_board("stm32f746")
    script = render_script(board, name="kws", elf="../f.elf", cycles_per_instruction=0.85)
    assert "$elf?=$ORIGIN/../f.elf\n" in script
    assert "$uart?=$ORIGIN/kws.uart\n" in script
    assert 'emulation CreateUartPtyTerminal "harness" $uart true\n' in script
    assert "Socket" not in script
    assert "sysbus.cpu PerformanceInMips 254\n" in script
    assert "sysbus.cpu VectorTableOffset 0x08000000\n" in script


# ---- the Robot library, which must work without tinyflow and numpy ----


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, imported with a replacement for Robot Framework."""
    logger = SimpleNamespace(info=lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "robot", ModuleType("robot"))
    monkeypatch.setitem(sys.modules, "robot.api", SimpleNamespace(logger=logger))
    source = RENODE / "tinyflow_harness.py"
    spec = importlib.util.spec_from_file_location("tinyflow_harness", source)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float32"])
def test_vectors_are_read_from_npy(library: ModuleType, tmp_path: Path, dtype: str) -> None:
    vectors = np.arange(60).reshape(5, 3, 4).astype(dtype)
    np.save(tmp_path / "v.npy", vectors)
    for index in range(5):
        assert library.read_vector(tmp_path / "v.npy", index) == vectors[index].tobytes()
    with pytest.raises(AssertionError, match="holds 5 vectors"):
        library.read_vector(tmp_path / "v.npy", 5)


def test_a_vector_file_of_another_form_is_refused(library: ModuleType, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.asfortranarray(np.ones((3, 4))))
    with pytest.raises(AssertionError, match="C order"):
        library.read_vector(tmp_path / "v.npy", 0)
    (tmp_path / "v.npy").write_bytes(b"nothing of the kind")
    with pytest.raises(AssertionError, match=r"not a \.npy file"):
        library.read_vector(tmp_path / "v.npy", 0)


def test_near_is_within_percent_or_slack(library: ModuleType) -> None:
    keywords = library.tinyflow_harness()
    keywords.should_be_near("102", 100, percent="2")
    keywords.should_be_near(150, 100, percent=2, slack=50)
    with pytest.raises(AssertionError, match=r"is 103: 3\.00 % from the reported 100"):
        keywords.should_be_near(103, 100, percent=2)


def test_a_path_with_a_space_for_the_monitor(library: ModuleType) -> None:
    assert library.tinyflow_harness().monitor_path("/a b/c") == "@/a\\ b/c"


# ---- finding Renode, and running suites, with stand-ins ----


def program(path: Path, script: str = "exit 0") -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def no_renode(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(renode.VARIABLE, raising=False)


@pytest.mark.usefixtures("no_renode")
def test_a_missing_renode_is_told_in_one_line() -> None:
    with pytest.raises(RenodeMissingError) as caught:
        find_renode()
    assert caught.value.message.startswith("Renode is not installed: no `renode` on PATH; put it")
    assert "\n" not in str(caught.value)
    assert "TINYFLOW_RENODE" in caught.value.message
    assert caught.value.hint is None
    assert caught.value.exit_code == 12


def test_renode_is_found_by_folder_or_program(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("renode", "renode-test"):
        program(tmp_path / name)
    for place in (tmp_path, tmp_path / "renode"):
        monkeypatch.setenv(renode.VARIABLE, str(place))
        assert find_renode() == tmp_path / "renode"
        assert find_renode_test() == tmp_path / "renode-test"


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(renode.VARIABLE, str(tmp_path))
    with pytest.raises(RenodeMissingError, match=r"TINYFLOW_RENODE is .*: no `renode-test` there"):
        find_renode_test()


def an_image(tmp_path: Path) -> Image:
    path = tmp_path / "firmware.elf"
    path.touch()
    return Image(path, 0, (), (), 0, 0, 0, 0, ())


def test_renode_that_ends_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(renode.VARIABLE, str(program(tmp_path / "renode", "echo no mono; exit 3")))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(DeviceError, match="Renode ended with code 3") as caught:
        Renode(an_image(tmp_path), load_board("stm32f746"))
    assert caught.value.hint == "Renode's last output:\n  no mono"
    assert not list(tmp_path.glob("tinyflow-renode-*"))


def test_renode_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renode, "_QUIT_S", 0.2)
    hang = f'echo $$ > "{tmp_path}/pid"; exec sleep 100'
    monkeypatch.setenv(renode.VARIABLE, str(program(tmp_path / "renode", hang)))
    with pytest.raises(DeviceError, match="Renode did not start in time"):
        Renode(an_image(tmp_path), load_board("stm32f746"), startup_timeout_s=0.5)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


#: Stands in for Renode: the firmware's bytes on a pseudo terminal, run by the simulator.
_STAND_IN = """
import os, pty, re, sys, termios
from pathlib import Path
from tinyflow.boards import load_board
from tinyflow.emulate.simulator import Simulator
script = Path(re.search("include @(.*)", " ".join(sys.argv))[1].split(" -e ")[0])
text = script.read_text()
assert 'CreateUartPtyTerminal "harness" $uart true' in text
link = script.parent / re.search(r"\\$uart\\?=\\$ORIGIN/(.*)", text)[1]
master, slave = pty.openpty()  # cooked, as by chance: whoever opens it must make it raw
link.symlink_to(os.ttyname(slave))
device = Simulator(script.parent / "firmware.elf", load_board("stm32f746"))
while True:
    device.write(os.read(master, 100))
    while sent := device.read(4096, 0):
        os.write(master, sent)
"""


@pytest.mark.skipif(
    shutil.which("arm-none-eabi-gcc") is None, reason="arm-none-eabi-gcc is not on PATH"
)
def test_firmware_is_reached_over_a_pseudo_terminal(
    library: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both clients, over a terminal that is not raw before they open it."""
    board = load_board("stm32f746")
    write_fake_model(tmp_path / "project", board)
    elf = build_project(tmp_path / "project")
    (tmp_path / "stand_in.py").write_text(_STAND_IN)
    command = f'exec "{sys.executable}" "{tmp_path}/stand_in.py" "$@"'
    monkeypatch.setenv(renode.VARIABLE, str(program(tmp_path / "renode", command)))
    with Renode(elf, board) as target:
        client = HarnessClient(target)
        assert client.info().model == "plus_one"
        for start in (-100, 0, 3, 10, 13, 17, 19):  # with what a terminal takes for commands
            values = np.arange(start, start + 16, dtype=np.int8).reshape(PLUS_ONE.inputs[0].shape)
            (output,) = client.run(values)
            assert output.ravel().tolist() == (values.ravel() + 1).tolist()
    with pytest.raises(DeviceError, match="closed"):
        target.write(b"x")

    keywords = library.tinyflow_harness()
    uart = Path(keywords.new_uart())
    assert uart.parent.stat().st_mode & 0o077 == 0
    (uart.parent / "firmware.elf").write_bytes(elf.read_bytes())
    script = render_script(board, name="uart", elf="firmware.elf", cycles_per_instruction=1.0)
    (uart.parent / "t.resc").write_text(script.replace("uart.uart", "uart"))
    process = subprocess.Popen([tmp_path / "renode", "-e", f"include @{uart.parent}/t.resc"])
    try:
        keywords.connect(str(uart))
        assert keywords.model_info()["model"] == "plus_one"
        np.save(tmp_path / "input_0.npy", np.arange(16, dtype=np.int8).reshape(1, 16))
        np.save(tmp_path / "output_0.npy", np.arange(1, 17, dtype=np.int8).reshape(1, 16))
        keywords.run_test_vector(tmp_path, 0)
    finally:
        process.kill()
        process.wait()
        keywords.disconnect()
    assert not uart.parent.exists()


def test_a_file_that_is_no_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(renode.VARIABLE, str(program(tmp_path / "renode")))
    with pytest.raises(InputError, match="not a firmware image"):
        Renode(tmp_path / "renode", load_board("stm32f746"))


def a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    monkeypatch.setenv(renode.VARIABLE, str(program(tmp_path / "renode-test", script)))
    (tmp_path / "build" / "renode").mkdir(parents=True)
    (tmp_path / "build" / "renode" / "kws.robot").touch()
    return tmp_path / "build"


def test_failed_tests_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results.xml").write_text(FAILED_SUITE)
    copy = f'echo running; cp "{tmp_path}/results.xml" "$2/robot_output.xml"; exit 1'
    folder = a_build(tmp_path, monkeypatch, copy)
    lines: list[str] = []
    with pytest.raises(HilTestError) as caught:
        run_hil_tests(folder, on_line=lines.append)
    assert caught.value.message == "1 of 2 tests of kws.robot failed:\n  Counts: 7 != 8"
    assert lines[-1] == "running"


@pytest.mark.skipif(not can_enter_loopback(), reason="the kernel makes no network namespaces here")
def test_the_suite_reaches_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does a network reach the server that Renode opens for Robot Framework."""
    a_python(tmp_path, monkeypatch, "exit 0")
    folder = a_build(tmp_path, monkeypatch, "tail -n +3 /proc/net/dev; exit 1")
    lines: list[str] = []
    with pytest.raises(HilTestError):
        run_hil_tests(folder, on_line=lines.append)
    assert [line.split(":")[0].strip() for line in lines] == ["lo"]


def test_passed_tests_are_returned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results.xml").write_text(FAILED_SUITE.replace("FAIL", "PASS"))
    copy = f'cp "{tmp_path}/results.xml" "$2/robot_output.xml"'
    result = run_hil_tests(a_build(tmp_path, monkeypatch, copy))
    assert result.suite == "kws"
    assert [(test.name, test.seconds) for test in result.tests] == [("Boots", 1.5), ("Counts", 0.5)]
    assert result.seconds == 2.0


def test_a_suite_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = FAILED_SUITE.replace("7 != 8", "Parent suite setup failed:\nno such file")
    (tmp_path / "results.xml").write_text(text)
    copy = f'cp "{tmp_path}/results.xml" "$2/robot_output.xml"'
    with pytest.raises(HilTestError, match=r"^kws\.robot could not start: no such file$"):
        run_hil_tests(a_build(tmp_path, monkeypatch, copy))


def a_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make `python3` on PATH a program that says which modules are missing."""
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin" / "python3", script)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")


def test_renode_test_that_breaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_python(tmp_path, monkeypatch, "exit 0")
    folder = a_build(tmp_path, monkeypatch, "echo no python; exit 3")
    with pytest.raises(HilTestError, match="ended before it ran the tests") as caught:
        run_hil_tests(folder)
    assert caught.value.hint == "no python"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("echo robot psutil", "which lacks robot and psutil"),
        ("exit 1", "which does not work"),
        (f'exec "{sys.executable}" -S -I "$@"', "which lacks robot and psutil and yaml"),
    ],
)
def test_a_python_that_cannot_run_renode_test(
    script: str,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unusable Python is a missing tool, not a failed test; `tinyflow doctor` reports it as
    well.
    """
    a_python(tmp_path, monkeypatch, script)
    folder = a_build(tmp_path, monkeypatch, "python3 -c 'import robot' 2>&1; exit 1")
    with pytest.raises(ToolMissingError, match="renode-test cannot run: it runs") as caught:
        run_hil_tests(folder)
    assert problem in caught.value.message
    assert caught.value.exit_code == 5
    assert "pip install robotframework psutil" in (caught.value.hint or "")

    tinyflow = CommandLine(monkeypatch, capsys)
    (found,) = (each for each in tinyflow("doctor", "--json").json if each["name"] == "Renode")
    assert not found["present"]
    assert str(tmp_path / "renode-test") in found["problem"]
    assert problem in found["problem"]
    assert "robotframework" in found["install"]
    words = " ".join(tinyflow("doctor").out.split())
    assert "broken Renode" in words and "pip install robotframework psutil" in words


def test_a_python_that_can_run_renode_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_python(tmp_path, monkeypatch, "exit 0")
    assert renode.renode_test_problem() is None


def test_renode_test_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_build(tmp_path, monkeypatch, "echo here; sleep 100")
    with pytest.raises(HilTestError, match=r"took more than 0\.5 s"):
        run_hil_tests(folder, timeout_s=0.5)


def test_a_build_without_a_suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_build(tmp_path, monkeypatch, "exit 0")
    (folder / "renode" / "kws.robot").unlink()
    with pytest.raises(InputError, match="0 Robot suites instead of one"):
        run_hil_tests(folder)
