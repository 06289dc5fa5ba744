# SPDX-License-Identifier: Apache-2.0
"""The commands' manners: help, exit codes, `--json`, and what hostile text can do."""

from __future__ import annotations

import io
import itertools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine
from tests.support.small_model import small_model
from tinyflow.boards import board_ids
from tinyflow.cli import boards, console
from tinyflow.cli.app import app
from tinyflow.distribution import install_hint
from tinyflow.errors import InputError, TinyflowError, exit_codes
from tinyflow.tflite.read_core import IMPORTERS
from tinyflow.tflite.read_float import UNQUANTISED_KINDS

COMMANDS = (
    "build compare profile init boards operators run test bisect flash calibrate doctor".split()
)


def test_every_command_is_here() -> None:
    assert [command.callback.__name__ for command in app.registered_commands] == COMMANDS  # type: ignore[union-attr]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_tells_the_exit_codes(tinyflow: CommandLine, command: list[str]) -> None:
    outcome = tinyflow(*command, "--help")
    assert outcome.code == 0
    words = " ".join(outcome.out.split())
    assert "Exit codes: 0 success, 2 wrong usage" in words
    for code, error in exit_codes().items():
        assert f"{code} {error.label}" in words
    if command:
        assert "--json" in words


def test_exit_codes_are_distinct_and_leave_two_to_the_shell() -> None:
    codes = [error.exit_code for error in exit_codes().values()]
    assert len(set(codes)) == len(codes)
    assert not {0, 2} & set(codes)


def test_wrong_usage_is_exit_code_2(tinyflow: CommandLine) -> None:
    assert tinyflow("nothing").code == 2
    assert tinyflow("build", "--nothing").code == 2
    assert tinyflow("build", "x.tflite", "--vectors", "0").code == 2
    assert tinyflow("run").code == 2


def test_version(tinyflow: CommandLine) -> None:
    assert tinyflow("--version").out.startswith("tinyflow 0.")


def test_operators(tinyflow: CommandLine) -> None:
    listed = tinyflow("operators", "--json").json
    assert {service["operator"] for service in listed} == {*IMPORTERS, *UNQUANTISED_KINDS}
    assert all(service["types"] or service["attributes"] for service in listed)
    convolution = tinyflow("operators", "conv_2d", "--json").json
    assert {service["library"] for service in convolution} == {"generated", "CMSIS-NN", "tinyflow"}
    generated = [service for service in convolution if service["library"] == "generated"]
    assert convolution[: len(generated)] == generated
    (pointwise,) = (service for service in generated if service["attributes"].startswith("1x1"))
    assert pointwise["cores"] == ["cortex-m4", "cortex-m7", "cortex-m33"]
    assert (pointwise["in_place"], pointwise["by_rows"]) == ("always", "always")
    assert {"int8", "int16", "float32"} <= {service["types"] for service in convolution}
    table = tinyflow("operators", "SOFTMAX").out
    assert "SOFTMAX" in table and "ADD" not in table
    tinyflow.refused(3, "operators", "FOO", says=("FOO", "tinyflow operators"))


def test_boards(tinyflow: CommandLine) -> None:
    listed = tinyflow("boards", "--json").json
    assert [board["id"] for board in listed] == board_ids()
    (board,) = (board for board in listed if board["id"] == "stm32f746")
    assert (board["core"], board["clock_hz"]) == ("cortex-m7", 216_000_000)
    assert (board["ram"], board["flash"]) == (320 * 1024, 1024 * 1024)
    table = tinyflow("boards").out
    for name in board_ids():
        assert name in table


def test_doctor(tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TINYFLOW_RENODE", raising=False)
    outcome = tinyflow("doctor", "--json")
    assert outcome.code == 5
    findings = {finding["name"]: finding for finding in outcome.json}
    compiler = findings["arm-none-eabi-gcc"]
    assert compiler["required"]
    assert not compiler["present"]
    assert compiler["install"].startswith("apt-get install gcc-arm-none-eabi")
    assert findings["unicorn"]["present"]
    assert not findings["Renode"]["present"]
    assert all(finding["install"] and finding["purpose"] for finding in outcome.json)
    shown = tinyflow("doctor")
    assert shown.code == 5
    assert "missing" in shown.out
    assert "apt-get install gcc-arm-none-eabi" in " ".join(shown.out.split())
    assert (
        install_hint("cmsis-nn") in " ".join(shown.out.split()) or findings["CMSIS-NN"]["present"]
    )


def test_a_bug_is_told_as_one(tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[str]:
        raise ZeroDivisionError("[/] by zero")

    monkeypatch.setattr(boards, "board_ids", fail)
    outcome = tinyflow("boards", "--json")
    assert outcome.code == 1
    assert outcome.json["error"]["kind"] == "TinyflowError"
    assert "Traceback" in outcome.err
    assert "error: unexpected failure: ZeroDivisionError: [/] by zero" in outcome.err


def test_what_the_system_refuses_is_no_bug(
    tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> list[str]:
        raise PermissionError(13, "Permission denied", "/a/file")

    monkeypatch.setattr(boards, "board_ids", fail)
    tinyflow.refused(3, "boards", says=("/a/file: Permission denied",))


def test_errors_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    message = "the layer [red]x[/] [/] \x1b[31m\u202e\r ends in \\"
    console.print_error(InputError(message, hint="[bold]\x1b]0;title\x07"), as_json=False)
    output = capsys.readouterr().err
    assert "error: the layer [red]x[/] [/] \\x1b[31m\\u202e\\r ends in \\\n" in output
    assert "  [bold]\\x1b]0;title\\x07\n" in output


def test_progress_cannot_be_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TinyflowError), console.ConsoleProgress() as progress:
        progress.stage("prune [red][/]")
        progress.line("[/]")
        progress.skipped("build [/]")
        progress.stage("emulate [/]")
        raise TinyflowError("x")
    output = capsys.readouterr().err
    assert "ok prune [red][/]" in output
    assert "= build [/] (unchanged)" in output
    assert "x emulate [/]" in output


def test_a_terminal_that_cannot_show_a_character(
    tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict", write_through=True)
    monkeypatch.setattr(sys, "stderr", stream)
    assert tinyflow("build", "größe.tflite", "--board", "nrf52840").code == 3
    assert b"gr??e.tflite: no such file" in raw.getvalue()


def test_a_ready_tflite_is_not_quantised_again(tinyflow: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(small_model())
    said = tinyflow("build", str(path), "--board", "stm32l4r5", "--activations", "int16")
    assert said.code == InputError.exit_code
    assert "only a Keras model can be quantised to int16 activations" in " ".join(said.err.split())


# ---- wrong usage, for a program ----


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nothing",), "nothing"),
        (("build", "--nothing"), "--nothing"),
        (("build", "x.tflite", "--vectors", "none"), "--vectors"),
        (("run",), "BUILD"),
        (("run", "a"), "--inputs"),
        (("compare",), "BUILD"),
        (("boards", "more"), "more"),
    ],
)
def test_wrong_usage_is_json_for_a_program(
    tinyflow: CommandLine, arguments: tuple[str, ...], says: str
) -> None:
    outcome = tinyflow(*arguments, "--json")
    assert outcome.code == 2
    error = outcome.json["error"]
    assert (error["kind"], error["exit_code"]) == ("UsageError", 2)
    assert says in error["message"]
    assert "--help" in error["hint"]
    assert "error: " in outcome.err and "Traceback" not in outcome.err


def test_help_and_results_stay_as_they_are_with_json(tinyflow: CommandLine) -> None:
    assert "Exit codes:" in tinyflow("boards", "--help", "--json").out
    assert tinyflow("boards", "--json").code == 0


# ---- completion ----


def completed(words: str, shell: str, folder: Path) -> list[str]:
    """Return a shell's completions after some words, the last of which is being typed."""
    environment = {
        "bash": {
            "_TINYFLOW_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        },
        "zsh": {"_TINYFLOW_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": words},
        "fish": {
            "_TINYFLOW_COMPLETE": "complete_fish",
            "_TYPER_COMPLETE_ARGS": words,
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    }[shell]
    command = "from tinyflow.cli.app import main; import sys; sys.argv = ['tinyflow']; main()"
    shown = subprocess.run(
        [sys.executable, "-c", command],
        env={**os.environ, **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return re.findall(r"[\w./:-]+", shown)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_boards_builds_and_operators_complete(shell: str, tmp_path: Path) -> None:
    for build in ("build/stm32f746", "build/nrf52840", "other/build/x"):
        (tmp_path / build).mkdir(parents=True)
        (tmp_path / build / "report.json").touch()
    (tmp_path / "empty").mkdir()
    boards = completed("tinyflow build --board stm32f", shell, tmp_path)
    assert {"stm32f407", "stm32f746"} <= {*boards} and "nrf52840" not in boards
    assert "build/stm32f746" in completed("tinyflow profile bui", shell, tmp_path)
    found = completed("tinyflow run build/", shell, tmp_path)
    assert {"build/stm32f746", "build/nrf52840"} <= {*found}
    assert "compare" in completed("tinyflow co", shell, tmp_path)
    assert "SOFTMAX" in completed("tinyflow operators SOFTM", shell, tmp_path)
    assert "speed" in completed("tinyflow build --optimize sp", shell, tmp_path)


@pytest.mark.parametrize(
    ("shell", "says"),
    [
        ("bash", "complete -o"),
        ("zsh", "#compdef tinyflow"),
        ("fish", "complete --command tinyflow"),
    ],
)
def test_the_shell_may_be_named(shell: str, says: str, tmp_path: Path) -> None:
    command = "import sys; sys.argv[0] = 'tinyflow'; from tinyflow.cli.app import main; main()"
    shown = subprocess.run(
        [sys.executable, "-c", command, "--show-completion", shell],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown
    assert says in shown.stdout
    assert "_TINYFLOW_COMPLETE" in shown.stdout


def test_a_real_bash_completes(tmp_path: Path) -> None:
    """The script that `--show-completion` prints, in the shell it is for."""
    bash = shutil.which("bash")
    program = Path(sys.executable).parent / "tinyflow"
    if bash is None or not program.exists():
        pytest.skip("no bash, or tinyflow is not installed")
    script = f"""
    PATH={program.parent}:$PATH
    eval "$(tinyflow --show-completion)"
    COMP_WORDS=(tinyflow build --board stm32l)
    COMP_CWORD=3
    _tinyflow_completion tinyflow
    echo "offered: ${{COMPREPLY[*]}}"
    """
    shown = subprocess.run(
        [bash, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "offered: stm32l4r5" in shown.stdout, shown


# ---- a terminal of 80 columns ----


@pytest.mark.parametrize("width", [80, 100])
def test_boards_operators_and_doctor_fit_the_terminal(
    tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(console.out, "_width", width)
    for command in ("boards", "operators", "doctor"):
        shown = tinyflow(command).out
        lines = [line.rstrip() for line in shown.splitlines()]
        assert all(len(line) <= width for line in lines if "install" not in line), command
    for board in tinyflow("boards", "--json").json:
        assert f"{board['ram'] // 1024} KiB" in tinyflow("boards").out
    words = " ".join(tinyflow("operators").out.split())
    for service in tinyflow("operators", "--json").json:
        assert service["operator"] in words


@pytest.mark.parametrize("command", COMMANDS)
def test_help_fills_the_lines_of_a_terminal(
    tinyflow: CommandLine, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Paragraphs are broken where the terminal ends, not where the source's lines do."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.strip() for line in tinyflow(command, "--help").out.splitlines()]
    assert all(len(line) <= 80 for line in lines)
    top = lines[: next(index for index, line in enumerate(lines) if line.startswith("\u256d"))]
    for line, following in itertools.pairwise(top):
        prose = line and following and not following.startswith(("tinyflow ", "Usage:"))
        if prose and not line.startswith(("tinyflow ", "Usage:")):
            assert len(line) + 1 + len(following.split()[0]) > 77, (line, following)
