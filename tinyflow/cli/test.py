# SPDX-License-Identifier: Apache-2.0
"""`tinyflow test`."""

from __future__ import annotations

from dataclasses import asdict

from tinyflow.boards import load_board
from tinyflow.cli.console import ConsoleProgress, out, print_json
from tinyflow.cli.shared_options import BuildFolder, Json
from tinyflow.report.fitted_table import Column, FittedTable
from tinyflow.tools.build_folder import read_build


def command(build: BuildFolder, as_json: Json = False) -> None:
    """Run the emulated hardware-in-the-loop tests of a build with Renode's renode-test.

    They boot the image, talk to it over its UART, run the test vectors, and check outputs,
    instruction counts and virtual time. Renode is found on PATH or through TINYFLOW_RENODE;
    without it, this exits with code 12, and with code 5 where the Python that it runs lacks
    Robot Framework.
    """
    from tinyflow.emulate.renode import find_renode_test
    from tinyflow.tools.hil import run_suite

    built = read_build(build)
    find_renode_test()
    with ConsoleProgress() as progress:
        progress.stage("renode-test")
        board = load_board(built.report.board.id)
        result = run_suite(built, board, on_line=progress.line)
    if as_json:
        print_json(asdict(result))
        return
    table = FittedTable([Column("test"), Column("status"), Column("seconds", "number")])
    for test in result.tests:
        table.add_row(test.name, test.status, f"{test.seconds:.2f}")
    out.print(table)


command.__name__ = "test"
