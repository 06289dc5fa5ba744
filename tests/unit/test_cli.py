"""The commands' manners: help, exit codes, `--json`, and what hostile text can do."""

from __future__ import annotations

import io
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
from tinyflow.tflite.read_float import PLAIN_KINDS

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
    assert {service["operator"] for service in listed} == {*IMPORTERS, *PLAIN_KINDS}
    assert all(service["types"] or service["attributes"] for service in listed)
    convolution = tinyflow("operators", "conv_2d", "--json").json
    assert {service["library"] for service in convolution} == {"native", "CMSIS-NN", "tinyflow"}
    native = [service for service in convolution if service["library"] == "native"]
    assert convolution[: len(native)] == native
    (pointwise,) = (service for service in native if service["attributes"].startswith("1x1"))
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
    told = capsys.readouterr().err
    assert "error: the layer [red]x[/] [/] \\x1b[31m\\u202e\\r ends in \\\n" in told
    assert "  [bold]\\x1b]0;title\\x07\n" in told


def test_progress_cannot_be_read_as_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TinyflowError), console.ConsoleProgress() as progress:
        progress.stage("prune [red][/]")
        progress.line("[/]")
        progress.skipped("build [/]")
        progress.stage("emulate [/]")
        raise TinyflowError("x")
    told = capsys.readouterr().err
    assert "ok prune [red][/]" in told
    assert "= build [/] (unchanged)" in told
    assert "x emulate [/]" in told


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
