"""Boards that exist only here: another core at a real board's addresses.

They let the tests compile for a core that no board has yet, and run that code in the simulator.
"""

from __future__ import annotations

import json
from pathlib import Path

from tinyflow.boards import Board, read_board_file
from tinyflow.resources import BOARDS

#: Bytes of flash and of RAM: enough for every network of the tests.
MEMORY = {"flash": 4 << 20, "ram": 1 << 20}


def cortex_m0plus(folder: Path) -> Board:
    """A Cortex-M0+ (no DSP extension, no FPU, no hardware division) in an nRF52840's place."""
    manifest = json.loads((BOARDS / "nrf52840.json").read_text(encoding="utf-8"))
    manifest["build"] |= {"cpu": "cortex-m0plus", "float_abi": "soft"}
    manifest["build"].pop("fpu")
    for region in manifest["tinyflow"]["memory"]:
        region["size"] = MEMORY[region["kind"]]
    manifest["upload"] |= {"maximum_size": MEMORY["flash"], "maximum_ram_size": MEMORY["ram"]}
    path = folder / "m0plus.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return read_board_file(path)
