# SPDX-License-Identifier: Apache-2.0
"""Bring the shipped cost tables up to date: `python -m tinyflow.costs [BOARD...]`."""

from __future__ import annotations

import argparse
import sys

from tinyflow.boards import board_ids, load_board
from tinyflow.costs.measure import measure_costs
from tinyflow.costs.probes import MEASURED
from tinyflow.costs.table import COSTS, read_costs
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.progress import Progress
from tinyflow.storage.files import write_file


class _Lines(Progress):
    def line(self, text: str) -> None:
        print(f"  {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Measure what is stale, on the boards named or on all."""
    parser = argparse.ArgumentParser(prog="python -m tinyflow.costs", description=__doc__)
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="default: all")
    cmsis = find_cmsis_nn()
    for name in parser.parse_args().boards or board_ids():
        print(name, file=sys.stderr, flush=True)
        path = COSTS / f"{name}.json"
        table = measure_costs(MEASURED, load_board(name), cmsis, _Lines(), read_costs(path))
        write_file(path, table.to_json())


if __name__ == "__main__":
    main()
