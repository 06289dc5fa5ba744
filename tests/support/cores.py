# SPDX-License-Identifier: Apache-2.0
"""Boards that exist only here: another core at a real board's addresses.

They let the tests compile for a core that no board has yet, and run that code in the simulator.
"""

from __future__ import annotations

import json
from pathlib import Path

from tinyflow.boards import Board, Core, read_board_file
from tinyflow.resources import BOARDS

#: Bytes of flash and of RAM: enough for every network of the tests.
MEMORY = {"flash": 4 << 20, "ram": 1 << 20}
#: By core, the FPU it has here: none on a core of Armv6-M or Armv7-M.
FPUS: dict[Core, str | None] = {
    "cortex-m0plus": None,
    "cortex-m3": None,
    "cortex-m4": "fpv4-sp-d16",
    "cortex-m7": "fpv5-sp-d16",
    "cortex-m33": "fpv5-sp-d16",
}
#: Cores that run a selection of what the Cortex-M4 and the M0+ run.
OTHER_CORES: tuple[Core, ...] = ("cortex-m3", "cortex-m7", "cortex-m33")


def board_with(core: Core, folder: Path) -> Board:
    """A board with that core in an nRF52840's place; its file is written to the folder.

    A Cortex-M33 has the DSP extension here, a Cortex-M3 cannot.
    """
    manifest = json.loads((BOARDS / "nrf52840.json").read_text(encoding="utf-8"))
    manifest["build"] |= {"cpu": core, "float_abi": "hard" if FPUS[core] else "soft"}
    del manifest["build"]["fpu"]
    if fpu := FPUS[core]:
        manifest["build"]["fpu"] = fpu
    for region in manifest["tinyflow"]["memory"]:
        region["size"] = MEMORY[region["kind"]]
    manifest["upload"] |= {"maximum_size": MEMORY["flash"], "maximum_ram_size": MEMORY["ram"]}
    path = folder / f"{core.replace('cortex-', '')}.json"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    return read_board_file(path)


def cortex_m0plus(folder: Path) -> Board:
    """A Cortex-M0+: no DSP extension, no FPU, no hardware division."""
    return board_with("cortex-m0plus", folder)
