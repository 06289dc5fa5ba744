"""What a build found out, as data. `report.json` is this model, field by field."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class TensorSection(_Section):
    """An input or output of the model."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int | None


class ModelSection(_Section):
    """The model that was compiled; `sha256` is that of the `.tflite`."""

    name: str
    source: str
    sha256: str
    macs: int
    inputs: tuple[TensorSection, ...]
    outputs: tuple[TensorSection, ...]


class BoardSection(_Section):
    """The board it was compiled for."""

    id: str
    name: str
    mcu: str
    core: str
    clock_hz: int


class LatencySection(_Section):
    """One inference: instructions are counted, cycles and ms follow from them."""

    instructions: int
    cycles: int
    ms: float
    estimated: bool
    cycles_per_instruction: float
    error_percent: int


class RamSection(_Section):
    """Bytes of RAM: `bss` is without the arena and the state, `stack` the measured peak.

    `state` is what the model keeps from one inference to the next.
    """

    arena: int
    state: int = 0
    data: int
    bss: int
    stack: int
    total: int
    available: int


class FlashSection(_Section):
    """Bytes of flash: all that the ELF loads."""

    code: int
    weights: int
    total: int
    available: int


class MemorySection(_Section):
    """RAM and flash of the whole image."""

    ram: RamSection
    flash: FlashSection


class ExactSection(_Section):
    """The comparison with the oracle; `mismatches` counts output bytes."""

    oracle: str
    vectors: int
    bytes: int
    mismatches: int


class AccuracySection(_Section):
    """Top-1 accuracy in percent; `float` is None where the model came as a `.tflite`.

    `int8` is that of the int8 model in LiteRT, None where LiteRT cannot run it.
    """

    float_: float | None = Field(alias="float")
    int8: float | None
    device: float
    samples: int


class LayerSection(_Section):
    """One layer that runs code; `float32` is true where it was left unquantised."""

    name: str
    operator: str
    kernel: str
    macs: int
    instructions: int
    float32: bool = False


class KernelsSection(_Section):
    """Where the kernels come from."""

    cmsis_nn: str
    origin: str


class PruneSection(_Section):
    """What pruning did."""

    method: str
    ratio: float
    parameters_before: int
    parameters_after: int
    macs_before: int
    macs_after: int


class BudgetItem(_Section):
    """One limit of the [budget] table; `value` is None where it could not be measured."""

    name: str
    limit: float
    value: float | None
    kept: bool


class Report(_Section):
    """All of the above."""

    tinyflow: str
    model: ModelSection
    board: BoardSection
    latency: LatencySection
    memory: MemorySection
    exact: ExactSection
    accuracy: AccuracySection | None
    prune: PruneSection | None
    layers: tuple[LayerSection, ...]
    kernels: KernelsSection
    budget: tuple[BudgetItem, ...]
    artifacts: dict[str, str]

    def to_json(self) -> str:
        """The text of `report.json`."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    @staticmethod
    def read(path: Path) -> Report:
        """The report in a `report.json`."""
        return Report.model_validate_json(path.read_text(encoding="utf-8"))
