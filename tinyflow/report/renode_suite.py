# SPDX-License-Identifier: Apache-2.0
"""Renode's files of a build: the script, and a Robot suite that checks the firmware by the report.

Both also work without tinyflow: `renode NAME.resc`, `renode-test NAME.robot`.
"""

from __future__ import annotations

from pathlib import Path

from tinyflow.boards import Board
from tinyflow.emulate.renode_script import platform_description, render_script
from tinyflow.render import render
from tinyflow.report.report_data import Report
from tinyflow.resources import RENODE
from tinyflow.storage.folders import write_folder

#: Test vectors the suite runs at most.
MAX_VECTORS = 20
#: Renode's steps of time, of up to 1 us, at both ends of a measurement.
_TIME_SLACK_S = 2e-6
#: Host seconds a test may take: long before that, the firmware hangs.
_TEST_TIMEOUT_S = 600
_SUPPORT = ("tinyflow_harness.py", "tinyflow_measure.py")


def timed_vector(report: Report) -> int:
    """The vector whose instructions and time the suite compares with the report."""
    return 0 if report.inferences is None else report.inferences.vector


def write_renode(folder: Path, board: Board, report: Report) -> None:
    """Write the files of `renode_files` into `renode/` of a folder."""
    write_folder(folder / "renode", renode_files(board, report))


def renode_files(board: Board, report: Report) -> dict[str, bytes]:
    """Return the files of a build's `renode/` by name: the script, the suite and what they use.

    The suite compares the firmware with the report: its model, the outputs for the vectors in
    `vectors/`, the instructions of one inference, and the time that it takes.

    Args:
        board: The board.
        report: The build's report; `artifacts["elf"]` is relative to the build's folder.
    """
    name = report.model.name
    latency, vector = report.latency, timed_vector(report)
    texts = {
        f"{name}.resc": render_script(
            board,
            name=name,
            elf=f"../{report.artifacts['elf']}",
            cycles_per_instruction=latency.cycles / latency.instructions,
        ),
        f"{name}.robot": render(
            "renode/model.robot.j2",
            board=board,
            name=name,
            latency=latency,
            vector=vector,
            before=report.memory.ram.state > 0 and vector > 0,
            digest=report.model.sha256[:16],
            arena_bytes=report.memory.ram.arena,
            layer_count=len(report.layers),
            inputs=report.model.inputs,
            outputs=report.model.outputs,
            vector_count=min(report.exact.vectors, MAX_VECTORS),
            time_slack_cycles=round(_TIME_SLACK_S * board.clock_hz),
            test_timeout_s=_TEST_TIMEOUT_S,
        ),
    }
    return {
        board.renode.platform: platform_description(board),
        **{file: text.encode("utf-8") for file, text in texts.items()},
        **{support: (RENODE / support).read_bytes() for support in _SUPPORT},
    }
