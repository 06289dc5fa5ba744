# SPDX-License-Identifier: Apache-2.0
"""Results of a build, as data. `report.json` is this model, field by field."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from tinyflow.report.quality_data import (
    AccuracySection,
    ErrorSection,
    QuantizationSection,
    WarningSection,
)
from tinyflow.report.section import Section


class TensorSection(Section):
    """An input or output of the model."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


class ModelSection(Section):
    """The model that was compiled; `sha256` is that of the `.tflite`."""

    name: str
    source: str
    sha256: str
    macs: int
    inputs: tuple[TensorSection, ...]
    outputs: tuple[TensorSection, ...]


class ConversionSection(Section):
    """A float32 input or output that the arena holds in `dtype`.

    `<model>_write_input_N` and `<model>_read_output_N` convert all `elements` of it, before and
    after the inference: `latency` does not have what that takes.
    """

    kind: Literal["input", "output"]
    index: int
    dtype: str
    elements: int
    instructions: int
    cycles: int
    ms: float


class BoardSection(Section):
    """The board it was compiled for."""

    id: str
    name: str
    mcu: str
    core: str
    clock_hz: int


class SplitSection(Section):
    """Cycles by cause: the pipeline, branches, waits for flash data, for code, and for RAM."""

    core: int
    branch: int
    flash_data: int
    fetch: int
    ram: int


class OverheadSection(Section):
    """Code that runs before the first layer."""

    instructions: int
    cycles: int
    split: SplitSection


class EnergySection(Section):
    """Energy of one inference at the data sheet's typical run current, given in `source`."""

    uj: float
    power_mw: float
    source: str


class LatencyCorrectionSection(Section):
    """Calibration factor applied to modelled cycles, from measurements on the user's board.

    `spread_percent` is how far the measurements are from the factor at most.
    """

    factor: float
    measurements: int
    spread_percent: float


class LatencySection(Section):
    """One inference: instructions are counted; cycles are modelled, to `error_percent` either way.

    `cycles` is the sum of those of all layers and of the overhead. `calibration` is None if no
    board was measured.
    """

    instructions: int
    cycles: int
    ms: float
    cycles_per_instruction: float
    error_percent: int
    error_basis: str
    split: SplitSection
    overhead: OverheadSection
    energy: EnergySection | None
    calibration: LatencyCorrectionSection | None = None


class WorstSection(Section):
    """The slowest of the inferences that were traced."""

    vector: int
    instructions: int
    cycles: int
    ms: float


class InferencesSection(Section):
    """Differences between the inferences of the vectors.

    The instructions of all of them are counted. `traced` ones are modelled: that with the median
    number of instructions, that with the most, and that with the fewest where the model is not too
    large. `latency` and `layers` are of the one with the median cycles of these, the inference of
    `vector`; `worst` is the one with the most. Vectors count from 0.
    """

    vector: int
    vectors: int
    traced: int
    fewest_instructions: int
    most_instructions: int
    worst: WorstSection


class RamSection(Section):
    """Bytes of RAM that the image reserves: `bss` is without the arena and the state.

    `total` is the sum of arena, state, data, bss, stack, code and weights. `stack` is what the
    linker reserves, `stack_peak` what the runs of this build used of it at most. `state` is what
    the model keeps from one inference to the next; `code` runs from RAM, `weights` are read there.
    No arena for this order of layers is smaller than `arena_bound`: where both are equal, the
    arena is the least possible.
    """

    arena: int
    arena_bound: int = 0
    state: int = 0
    data: int
    bss: int
    stack: int
    stack_peak: int = 0
    code: int = 0
    weights: int = 0
    total: int
    available: int


class FlashSection(Section):
    """Bytes of flash: all that the ELF loads, what is copied to RAM included."""

    code: int
    weights: int
    total: int
    available: int


class MemorySection(Section):
    """RAM and flash of the whole image."""

    ram: RamSection
    flash: FlashSection


class PlacedSection(Section):
    """Memory placement: which items, their bytes, and why there.

    `functions` are those that run from RAM, `arrays` the constants that lie there; `gain_cycles` is
    what that was predicted to save.
    """

    what: str
    memories: tuple[str, ...]
    bytes: int
    why: str
    functions: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()
    gain_cycles: int | None = None


class ExactSection(Section):
    """The comparison with the oracle; `mismatches` counts output bytes.

    The vectors are `real` samples of the user's data, `random` inputs and `extreme` ones.
    """

    oracle: str
    vectors: int
    real: int = 0
    random: int = 0
    extreme: int = 0
    bytes: int
    mismatches: int


class AlternativeSection(Section):
    """A kernel that supports a layer, `generated` where it is one of tinyflow's generated ones.

    `cycles` and `instructions` are predicted, None if the kernel was not measured; `row_cycles`
    and `row_instructions` are the extra cost if the layer runs row by row, None if it
    cannot. `flash` is in bytes, constants and code, were it the only layer; `scratch` in bytes of
    arena.
    """

    kernel: str
    variant: str
    generated: bool
    cycles: int | None
    instructions: int | None
    flash: int
    scratch: int
    row_cycles: int | None = None
    row_instructions: int | None = None


class LayerSection(Section):
    """One layer that runs code.

    `variant` is the form of a CMSIS-NN kernel that has several; the name of a generated kernel
    includes its form. `energy_uj` is None if the run current is not known; `float32` is true where
    the layer was left unquantised. `alternatives` are all kernels that support the layer, with the
    chosen one. Layers of one `fused_block` run row by row, in turns. `predicted_cycles` is None if
    the chosen kernel was not measured; predictions ignore code and constants in RAM.
    """

    name: str
    operator: str
    kernel: str
    macs: int
    instructions: int
    cycles: int
    ms: float
    energy_uj: float | None
    split: SplitSection
    float32: bool = False
    variant: str = ""
    generated: bool = False
    alternatives: tuple[AlternativeSection, ...] = ()
    fused_block: int | None = None
    predicted_cycles: int | None = None

    @property
    def library_cycles(self) -> int | None:
        """Predicted cycles of CMSIS-NN, or of portable C where it has no kernel."""
        others = (other.cycles for other in self.alternatives if not other.generated)
        return next(others, None)

    @property
    def gain(self) -> float | None:
        """Predicted speed-up of a generated kernel over the library's."""
        if not self.generated or self.library_cycles is None:
            return None
        return self.library_cycles / max(1, self.cycles)


class OffSection(Section):
    """A layer's predicted and measured cycles."""

    name: str
    predicted: int
    measured: int


class PredictionSection(Section):
    """Predicted and measured cycles of the layers that have a prediction.

    `cycles` are predicted, less what copies in RAM were predicted to save; `off_percent` is
    positive if the layers took more. If that is more than 15 % off, `layers` are
    those that are furthest off, in cycles.
    """

    cycles: int
    measured: int
    off_percent: float
    layers: tuple[OffSection, ...] = ()


class NearestSection(Section):
    """The build for one limit alone, by its name in `[budget]`, and whether it can keep that.

    Its figures are predicted.
    """

    limit: str
    kept: bool
    latency_ms: float
    ram_kib: float
    flash_kib: float


class ShortfallSection(Section):
    """Limits that cannot be kept together, as predicted.

    `limits` are all of them, by their names in `[budget]`, the board's memories included; `broken`
    are those that this build was predicted to break; `nearest` are the builds for one limit alone.
    """

    limits: dict[str, float]
    broken: tuple[str, ...]
    nearest: tuple[NearestSection, ...]


class KernelsSection(Section):
    """Origin of the kernels, and how they were chosen.

    `predicted_cycles` is what the choice was expected to take, None if that is not known;
    `row_cycles` and `row_instructions` are what layers that run row by row were expected to take
    more for it.
    """

    cmsis_nn: str
    origin: str
    kernels: str = "auto"
    optimize: str = "balanced"
    predicted_cycles: int | None = None
    row_cycles: int = 0
    row_instructions: int = 0
    prediction: PredictionSection | None = None
    shortfall: ShortfallSection | None = None


class PruneSection(Section):
    """Effect of pruning.

    `predicted_cycles` and `unpruned_cycles` are those by which structured pruning chose its numbers
    of channels: of the pruned model and of the model as it was, None if they are not known.
    """

    method: str
    ratio: float
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int
    predicted_cycles: int | None = None
    unpruned_cycles: int | None = None


class BudgetItem(Section):
    """One limit of the [budget] table; `value` is None if it could not be measured."""

    name: str
    limit: float
    value: float | None
    kept: bool

    @property
    def shown(self) -> str:
        """The value in words."""
        if self.value is None:
            return "not measured"
        return f"{self.value:.4g}" if self.name == "max_error" else f"{self.value:.2f}"


class Report(Section):
    """All of the above."""

    tinyflow: str
    model: ModelSection
    board: BoardSection
    latency: LatencySection
    inferences: InferencesSection | None = None
    conversions: tuple[ConversionSection, ...] = ()
    memory: MemorySection
    placement: tuple[PlacedSection, ...] = ()
    exact: ExactSection
    accuracy: AccuracySection | None
    error: ErrorSection | None = None
    quantization: QuantizationSection | None = None
    warnings: tuple[WarningSection, ...] = ()
    prune: PruneSection | None
    layers: tuple[LayerSection, ...]
    kernels: KernelsSection
    budget: tuple[BudgetItem, ...]
    artifacts: dict[str, str]

    @property
    def worst_ms(self) -> float:
        """The latency of the slowest inference that was traced."""
        return self.latency.ms if self.inferences is None else self.inferences.worst.ms

    def to_json(self) -> str:
        """The text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @staticmethod
    def read(path: Path) -> Report:
        """The report in a `report.json`."""
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
