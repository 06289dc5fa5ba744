# SPDX-License-Identifier: Apache-2.0
"""Cycles of one inference by code, as data. `tinyflow profile --json` prints this model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from tinyflow.report.report_data import BoardSection, LatencySection, PlacedSection, SplitSection

#: The page's name in a build's folder.
PROFILE_PAGE = "profile.html"


class _ProfilePart(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProfiledModel(_ProfilePart):
    """The model; `sha256` is that of the `.tflite`, `input` says what ran through it."""

    name: str
    source: str
    sha256: str
    macs: int
    input: str


class ProfiledLayer(_ProfilePart):
    """One layer that runs code; `share` is of all cycles, 0 to 1.

    `cycles_per_mac` is None for a layer without multiply-accumulates.
    """

    name: str
    operator: str
    kernel: str
    macs: int
    instructions: int
    cycles: int
    ms: float
    share: float
    cycles_per_mac: float | None
    split: SplitSection


class ProfiledFunction(_ProfilePart):
    """One function of the image. `split` is of `self_cycles`; `total_cycles` includes callees."""

    name: str
    calls: int
    instructions: int
    self_cycles: int
    total_cycles: int
    self_share: float
    total_share: float
    split: SplitSection


class ProfiledInstruction(_ProfilePart):
    """One instruction of a block, over all its executions: its own cycles, and its branch's."""

    address: int
    text: str
    core: int
    branch: int


class BlockUse(_ProfilePart):
    """Executions of a block in a layer; `layer` counts from 0, -1 is before the first one."""

    layer: int
    executions: int


class ProfiledBlock(_ProfilePart):
    """A run of instructions up to a branch, over all layers.

    What memories add (`flash_data`, `fetch` and `ram` of the split) is known of the block, not of
    its instructions.
    """

    address: int
    function: str
    offset: int
    executions: int
    cycles: int
    share: float
    split: SplitSection
    instructions: tuple[ProfiledInstruction, ...]
    uses: tuple[BlockUse, ...]


class ProfiledFrame(_ProfilePart):
    """A node of the call tree: the model, then the layers, then functions.

    `parent` is the position of another frame in the list, -1 for the model. `cycles` are with
    those of all frames below, `self_cycles` without.
    """

    parent: int
    name: str
    calls: int
    cycles: int
    self_cycles: int


class Profile(_ProfilePart):
    """Cycles of one inference by code.

    Layers and what runs before the first one add up to the whole; so do the functions' own cycles,
    and the frames'. `blocks` are the hottest ones. A branch's refill is charged to the code that it
    leads to, but for `blocks`, where it is counted with the branch. `in_ram` is what start-up
    copies to RAM.
    """

    tinyflow: str
    model: ProfiledModel
    board: BoardSection
    latency: LatencySection
    layers: tuple[ProfiledLayer, ...]
    functions: tuple[ProfiledFunction, ...]
    blocks: tuple[ProfiledBlock, ...]
    frames: tuple[ProfiledFrame, ...]
    in_ram: tuple[PlacedSection, ...] = ()

    def to_json(self) -> str:
        """The whole as JSON."""
        return self.model_dump_json(indent=2) + "\n"
