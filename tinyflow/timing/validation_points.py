# SPDX-License-Identifier: Apache-2.0
"""Measurements that others published, and the model's cycles for the same code.

Every point here was run: the code was rebuilt, or its published firmware booted, and the timed call
traced and counted. Where the part has caches, a first call went before and was not counted, since
what is published is a mean or median of many. Points of BakeNN are what
`benchmarks/timing/validate.py` prints; the code of the others is not on PyPI.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from tinyflow.boards import Core


@dataclass(frozen=True)
class TimedProgram:
    """One timed program: cycles as published, and as modelled."""

    name: str
    published: int
    modelled: int

    @property
    def error_percent(self) -> float:
        """The modelled cycles less the published ones, in percent of these."""
        return 100 * (self.modelled / self.published - 1)


@dataclass(frozen=True)
class PointSet:
    """Programs that were timed together.

    Attributes:
        source: who measured what.
        part: the board it ran on.
        core: that board's core.
        speaks_for: id of the board file whose memories were modelled, at this clock or as many
            nanoseconds; "" where they were others.
        conditions: clock and memories.
        url: where it is published.
        published_in: in which file or folder.
        deviations: how what was modelled differs from what was timed.
        fitted: the parameter that was chosen on these very programs; "" if they are held out.
        programs: one or more.
        counted: the percentage of the programs, those with the smallest errors, that count for
            the error bars.
    """

    source: str
    part: str
    core: Core
    speaks_for: str
    conditions: str
    url: str
    published_in: str
    deviations: str
    fitted: str
    programs: tuple[TimedProgram, ...]
    counted: int = 100

    @property
    def counted_percent(self) -> float:
        """The largest error, either way, of the programs that count."""
        errors = sorted(abs(program.error_percent) for program in self.programs)
        return errors[ceil(len(errors) * self.counted / 100) - 1]


POINT_SETS: tuple[PointSet, ...] = (
    PointSet(
        source="MLPerf Tiny v1.1, Skymizer Tiny ONNC with CMSIS-NN",
        part="NUCLEO-L4R5ZI",
        core="cortex-m4",
        speaks_for="stm32l4r5",
        conditions="120 MHz, 5 wait states",
        url="https://github.com/mlcommons/tiny_results_v1.1",
        published_in="closed/Skymizer/results/NUCLEO_L4R5ZI-mbed_os",
        deviations=(
            "its generated C with CMSIS_5 b966796; GCC 12.2.1 for 9.3.1, no mbed OS, own "
            "start-up, link order and input, stack right behind the data"
        ),
        fitted="the flash data buffer and the cost of its misses",
        programs=(
            TimedProgram("kws", 9_840_000, 9_936_825),
            TimedProgram("vww", 20_661_000, 20_651_061),
            TimedProgram("ic", 35_841_000, 36_070_858),
            TimedProgram("ad", 968_700, 951_745),
        ),
    ),
    PointSet(
        source="MLPerf Tiny v1.0, OctoML microTVM with CMSIS-NN",
        part="NUCLEO-L4R5ZI",
        core="cortex-m4",
        speaks_for="stm32l4r5",
        conditions="120 MHz, 5 wait states",
        url="https://github.com/mlcommons/tiny_results_v1.0",
        published_in="closed/OctoML/results/microtvm_cmsis_nn/NUCLEO_L4R5ZI",
        deviations=(
            "its generated C with CMSIS_5 5126318; GCC 12.2.1 for 10.3, no Zephyr, own start-"
            "up and input, without -ffreestanding, stack right behind the data"
        ),
        fitted="the flash data buffer and the cost of its misses",
        programs=(
            TimedProgram("kws", 11_977_800, 12_181_852),
            TimedProgram("vww", 36_146_400, 36_051_022),
            TimedProgram("ic", 46_746_000, 44_460_282),
            TimedProgram("ad", 1_032_600, 975_854),
        ),
    ),
    PointSet(
        source="MLPerf Tiny v1.0, OctoML microTVM, plain C",
        part="NUCLEO-L4R5ZI",
        core="cortex-m4",
        speaks_for="stm32l4r5",
        conditions="120 MHz, 5 wait states",
        url="https://github.com/mlcommons/tiny_results_v1.0",
        published_in="closed/OctoML/results/microtvm_native/NUCLEO_L4R5ZI",
        deviations="as the set above; loops that the compiler shapes more",
        fitted="",
        programs=(
            TimedProgram("kws", 17_294_400, 15_303_018),
            TimedProgram("vww", 40_390_800, 39_875_456),
            TimedProgram("ic", 46_705_200, 47_510_431),
            TimedProgram("ad", 1_406_160, 1_439_868),
        ),
    ),
    PointSet(
        source="MLPerf Tiny v1.2, Bosch HALE",
        part="NUCLEO-L4R5ZI",
        core="cortex-m4",
        speaks_for="stm32l4r5",
        conditions="120 MHz, 5 wait states, stack in SRAM3",
        url="https://github.com/mlcommons/tiny_results_v1.2",
        published_in="closed/bosch/results/NUCLEO_L4R5ZI_int8",
        deviations="none: the submitted firmware itself, booted up to the timed call; own input",
        fitted="",
        programs=(
            TimedProgram("kws", 7_218_914, 7_209_397),
            TimedProgram("vww", 21_660_650, 20_867_234),
            TimedProgram("ic", 21_664_560, 21_394_694),
            TimedProgram("ad", 700_219, 716_024),
        ),
    ),
    PointSet(
        source="pqm4",
        part="NUCLEO-L4R5ZI",
        core="cortex-m4",
        speaks_for="",
        conditions="20 MHz, no wait states, keys and stack in SRAM3",
        url="https://github.com/mupq/pqm4",
        published_in="benchmarks.csv",
        deviations=(
            "GCC 12.2.1 for 11.3.1; random numbers from a generator instead of the "
            "hardware's; `clean` from a later PQClean"
        ),
        fitted="the cost of a burst in SRAM3",
        programs=(
            TimedProgram("fndsa_provisional-512 m4f verify", 396_949, 362_853),
            TimedProgram("haetae2 m4f verify", 918_459, 927_402),
            TimedProgram("haetae3 m4f verify", 1_760_745, 1_774_375),
            TimedProgram("mayo2 m4f keypair", 9_575_000, 9_518_579),
            TimedProgram("mayo2 m4f sign", 11_006_533, 10_859_672),
            TimedProgram("mayo2 m4f verify", 6_028_386, 5_938_239),
            TimedProgram("ml-dsa-44 m4f keypair", 1_426_025, 1_444_326),
            TimedProgram("ml-dsa-44 m4f verify", 1_421_623, 1_441_485),
            TimedProgram("ml-dsa-65 m4f keypair", 2_516_006, 2_552_987),
            TimedProgram("ml-dsa-65 m4f verify", 2_415_944, 2_446_695),
            TimedProgram("ml-dsa-87 m4f keypair", 4_275_859, 4_337_585),
            TimedProgram("ml-dsa-87 m4f verify", 4_193_104, 4_251_781),
            TimedProgram("ml-kem-1024 m4fspeed dec", 1_094_008, 1_103_574),
            TimedProgram("ml-kem-1024 m4fspeed enc", 1_031_565, 1_037_370),
            TimedProgram("ml-kem-1024 m4fspeed keypair", 1_018_976, 1_020_549),
            TimedProgram("ml-kem-1024 m4fstack dec", 1_100_982, 1_113_467),
            TimedProgram("ml-kem-1024 m4fstack enc", 1_037_953, 1_045_725),
            TimedProgram("ml-kem-1024 m4fstack keypair", 1_020_202, 1_025_880),
            TimedProgram("ml-kem-512 m4fspeed dec", 428_167, 435_330),
            TimedProgram("ml-kem-512 m4fspeed enc", 390_881, 396_941),
            TimedProgram("ml-kem-512 m4fspeed keypair", 392_423, 396_631),
            TimedProgram("ml-kem-512 m4fstack dec", 430_202, 436_931),
            TimedProgram("ml-kem-512 m4fstack enc", 392_864, 398_310),
            TimedProgram("ml-kem-512 m4fstack keypair", 392_224, 396_276),
            TimedProgram("ml-kem-768 clean dec", 1_387_984, 1_422_770),
            TimedProgram("ml-kem-768 clean enc", 1_138_225, 1_168_855),
            TimedProgram("ml-kem-768 clean keypair", 988_722, 996_759),
            TimedProgram("ml-kem-768 m4fspeed dec", 707_827, 714_417),
            TimedProgram("ml-kem-768 m4fspeed enc", 658_754, 663_795),
            TimedProgram("ml-kem-768 m4fspeed keypair", 642_096, 643_305),
            TimedProgram("ml-kem-768 m4fstack dec", 714_194, 719_827),
            TimedProgram("ml-kem-768 m4fstack enc", 664_654, 668_594),
            TimedProgram("ml-kem-768 m4fstack keypair", 644_195, 646_156),
        ),
    ),
    PointSet(
        source="BakeNN, fully connected",
        part="nRF52840-DK",
        core="cortex-m4",
        speaks_for="nrf52840",
        conditions="64 MHz, instruction cache on",
        url="https://github.com/scienthoon/bakeNN",
        published_in="benchmarks/tflm_compare/results/iotlab_447626_direct_cmsis_fc.md",
        deviations="code of bakenn 1.0.0 for an earlier one's; GCC 12.2.1 for 10.3, no Zephyr",
        fitted="the cost of a read of flash data",
        programs=(
            TimedProgram("fc_cmsis_nn", 3_786, 3_701),
            TimedProgram("fc_portable", 8_706, 8_869),
        ),
    ),
    PointSet(
        source="BakeNN, perceptron and convolution",
        part="nRF52840-DK",
        core="cortex-m4",
        speaks_for="nrf52840",
        conditions="64 MHz, instruction cache on",
        url="https://github.com/scienthoon/bakeNN",
        published_in="benchmarks/tflm_compare/results/iotlab_447609.md and iotlab_447609_conv.md",
        deviations="as the set above",
        fitted="",
        programs=(
            TimedProgram("mlp_portable", 8_508, 8_913),
            TimedProgram("mlp_dsp", 8_872, 9_037),
            TimedProgram("conv_portable", 24_610, 24_327),
        ),
    ),
    PointSet(
        source="Embench-IoT 2.0",
        part="STM32F4-Discovery",
        core="cortex-m4",
        speaks_for="",
        conditions="16 MHz, no wait states",
        url="https://github.com/embench/embench-iot",
        published_in="baseline-data/speed.json",
        deviations=(
            "GCC 12.2.1 and its newlib for GCC 14.1.0 and newlib 4.3.0; own start-up; a "
            "sixteenth of the published repetitions, published time to match"
        ),
        fitted="the cost of a burst in SRAM1",
        programs=(
            TimedProgram("aha-mont64", 4_002_000, 4_039_215),
            TimedProgram("crc32", 4_006_000, 3_919_890),
            TimedProgram("depthconv", 3_842_000, 4_021_303),
            TimedProgram("edn", 4_006_000, 3_806_834),
            TimedProgram("huffbench", 3_993_000, 3_131_885),
            TimedProgram("matmult-int", 4_010_000, 3_530_525),
            TimedProgram("md5sum", 3_931_000, 2_818_075),
            TimedProgram("nettle-aes", 3_956_000, 3_645_340),
            TimedProgram("nettle-sha256", 3_998_000, 3_367_822),
            TimedProgram("nsichneu", 4_303_000, 4_415_530),
            TimedProgram("picojpeg", 3_915_000, 4_099_176),
            TimedProgram("qrduino", 3_927_000, 4_062_295),
            TimedProgram("sglib-combined", 4_131_000, 4_071_240),
            TimedProgram("slre", 3_995_000, 3_813_246),
            TimedProgram("statemate", 6_421_000, 4_638_715),
            TimedProgram("tarfind", 4_005_000, 1_393_390),
            TimedProgram("ud", 3_934_000, 3_918_111),
            TimedProgram("wikisort", 3_622_000, 2_696_575),
            TimedProgram("xgboost", 3_528_000, 3_445_183),
        ),
        counted=75,
    ),
    PointSet(
        source="MLPerf Tiny v1.0, OctoML microTVM with CMSIS-NN",
        part="nRF5340-DK",
        core="cortex-m33",
        speaks_for="",
        conditions="Cortex-M33, 128 MHz, no wait states charged",
        url="https://github.com/mlcommons/tiny_results_v1.0",
        published_in="closed/OctoML/results/microtvm_cmsis_nn/NRF5340-DK",
        deviations=(
            "as on the NUCLEO-L4R5ZI, for -mcpu=cortex-m33; the part's 8 KB cache is not modelled"
        ),
        fitted="",
        programs=(
            TimedProgram("kws", 9_738_880, 10_100_971),
            TimedProgram("vww", 29_701_120, 29_499_911),
            TimedProgram("ic", 40_471_040, 37_542_050),
            TimedProgram("ad", 802_112, 756_014),
        ),
    ),
    PointSet(
        source="CoreMark",
        part="Teensy 4.0",
        core="cortex-m7",
        speaks_for="",
        conditions="Cortex-M7, 600 MHz, from tightly coupled memory",
        url="https://github.com/PaulStoffregen/CoreMark",
        published_in="README.md, 2313.57 CoreMark",
        deviations="compiler and options are not published; taken as -O2, with GCC 12.2.1",
        fitted="",
        programs=(TimedProgram("10 iterations", 2_593_395, 2_596_865),),
    ),
    PointSet(
        source="MLPerf Tiny v1.2, Bosch HALE",
        part="DISCO-F746NG",
        core="cortex-m7",
        speaks_for="stm32f746",
        conditions="216 MHz, 7 wait states, caches on",
        url="https://github.com/mlcommons/tiny_results_v1.2",
        published_in="closed/bosch/results/DISCO_F746NG_int8",
        deviations="none: the submitted firmware itself, booted up to the timed call; own input",
        fitted="the cost of a cache line",
        programs=(
            TimedProgram("kws", 4_095_097, 4_087_512),
            TimedProgram("vww", 12_365_468, 12_268_684),
            TimedProgram("ic", 13_511_823, 13_849_526),
            TimedProgram("ad", 369_623, 367_021),
        ),
    ),
    PointSet(
        source="MLPerf Tiny v1.2, Bosch HALE",
        part="NUCLEO-H7A3ZI",
        core="cortex-m7",
        speaks_for="stm32f746",
        conditions="280 MHz, caches on; a line takes as many nanoseconds as on the F746",
        url="https://github.com/mlcommons/tiny_results_v1.2",
        published_in="closed/bosch/results/NUCLEO_H7A3ZI_int8",
        deviations="none: the submitted firmware itself, booted up to the timed call; own input",
        fitted="",
        programs=(
            TimedProgram("kws", 4_112_627, 4_119_871),
            TimedProgram("vww", 12_253_829, 12_412_345),
            TimedProgram("ic", 12_837_559, 13_710_959),
            TimedProgram("ad", 380_634, 376_896),
        ),
    ),
)
