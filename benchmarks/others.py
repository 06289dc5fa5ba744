# SPDX-License-Identifier: Apache-2.0
"""Published results on the MLPerf Tiny models, and the limits the benchmark holds us to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A result of a round of MLPerf Tiny, measured on the board by the submitter.

    Attributes:
        board: our name of it.
        clock_hz: of its core, from the submission's description of the system.
        model: kws, ic, vww or ad.
        engine: what ran.
        closed: its source is not public.
        per_second: the published median of inferences a second.
        source: folder of the results, after `github.com/mlcommons/tiny_results_`.
    """

    board: str
    clock_hz: int
    model: str
    engine: str
    closed: bool
    per_second: float
    source: str

    @property
    def cycles(self) -> int:
        """Cycles of one inference."""
        return round(self.clock_hz / self.per_second)


def _round(
    board: str, clock_hz: int, engine: str, source: str, *, closed: bool = True, **figures: float
) -> tuple[Published, ...]:
    return tuple(
        Published(board, clock_hz, model, engine, closed, per_second, f"{source}/{model}")
        for model, per_second in figures.items()
    )


_L4R5, _F746 = ("stm32l4r5", 120_000_000), ("stm32f746", 216_000_000)
_ST, _PLUMERAI, _HALE = "ST X-CUBE-AI", "Plumerai", "Bosch HALE"

#: Best of rounds 0.5 to 1.3 for each board and model, for the closed engines.
PUBLISHED = (
    *_round(
        *_L4R5, _ST, "v1.2/closed/STMicroelectronics/results/NUCLEO_L4R5ZI",
        kws=23.155, ic=6.056, vww=11.245,
    ),
    *_round(*_L4R5, _PLUMERAI, "v1.1/closed/plumerai/results/NUCLEO-L4R5ZI", ad=246.814),
    *_round(*_F746, _PLUMERAI, "v1.1/closed/plumerai/results/DISCO-F746NG", kws=56.341, vww=29.343),
    *_round(*_F746, _HALE, "v1.1/closed/bosch/results/DISCO_F746NG", ic=16.242),
    *_round(
        *_F746, _HALE, "v1.2/closed/bosch/results/DISCO_F746NG_int8_max_performance", ad=701.809
    ),
    *_round(
        *_L4R5, "microTVM with CMSIS-NN",
        "v1.0/closed/OctoML/results/microtvm_cmsis_nn/NUCLEO_L4R5ZI", closed=False,
        kws=10.019, ic=2.567, vww=3.320, ad=116.212,
    ),
    *_round(
        *_L4R5, "Tiny ONNC with CMSIS-NN", "v1.1/closed/Skymizer/results/NUCLEO_L4R5ZI-mbed_os",
        closed=False, kws=12.195, ic=3.348, vww=5.808, ad=123.875,
    ),
)  # fmt: skip


def best_published(board: str, model: str) -> Published | None:
    """The published result with the fewest cycles, None for a board that has none."""
    found = [each for each in PUBLISHED if (each.board, each.model) == (board, model)]
    return min(found, key=lambda each: each.cycles, default=None)


@dataclass(frozen=True)
class Direct:
    """CMSIS-NN called directly on a Cortex-M4, with a hand-written static plan."""

    instructions: int
    arena: int
    flash: int | None = None


#: Figures by CMSIS-NN version and model. GCC 12.2, -O2; executed instructions counted in Unicorn,
#: confirmed by QEMU. Flash was measured with 7.0.0 only.
DIRECT = {
    "4.0.0": {
        "kws": Direct(7_668_000, 17_152),
        "ic": Direct(31_835_000, 51_456),
        "vww": Direct(23_907_000, 69_120),
        "ad": Direct(574_000, 768),
    },
    "7.0.0": {
        "kws": Direct(7_696_000, 16_256, 52_432),
        "ic": Direct(29_860_000, 51_456, 101_724),
        "vww": Direct(24_090_000, 65_536, 267_840),
        "ad": Direct(580_000, 768, 277_488),
    },
}
#: Limit of our calls of CMSIS-NN over that: a factor, and bytes of flash.
DIRECT_INSTRUCTIONS, DIRECT_FLASH = 1.03, 8 * 1024


@dataclass(frozen=True)
class Bar:
    """The most that a figure of our own kernels may be.

    Attributes:
        model: kws, ic, vww or ad.
        goal: what is optimised for.
        figure: `cycles`, `instructions`, `arena` or `flash`.
        most: the bar.
        board: where it holds; None for every board.
    """

    model: str
    goal: str
    figure: str
    most: int
    board: str | None = None


def _bars(goal: str, figure: str, board: str | None = None, **most: int) -> tuple[Bar, ...]:
    return tuple(Bar(model, goal, figure, value, board) for model, value in most.items())


_KIB = 1024
BARS = (
    *_bars("speed", "cycles", "stm32l4r5", kws=4_300_000, ic=13_500_000, vww=7_900_000, ad=460_000),
    *_bars("speed", "cycles", "stm32f746", kws=3_100_000, ic=9_600_000, vww=5_600_000, ad=330_000),
    *_bars(
        "speed", "instructions", "stm32l4r5",
        kws=2_800_000, ic=8_000_000, vww=4_900_000, ad=270_000,
    ),
    *_bars("speed", "flash", ic=140 * _KIB),
    *_bars("ram", "arena", kws=10 * _KIB, ic=22 * _KIB, vww=34 * _KIB, ad=2_560),
    *_bars("size", "flash", kws=42 * _KIB, ic=96 * _KIB, vww=60 * _KIB, ad=272 * _KIB),
)  # fmt: skip
