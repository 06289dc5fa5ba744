# SPDX-License-Identifier: Apache-2.0
"""Stage 4: the image runs in the emulator, for exactness, instructions, stack and cycles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinyflow.distribution import VERSION
from tinyflow.emulate.verify import Verification, verify_firmware
from tinyflow.errors import DeviceError
from tinyflow.pipeline.context import BuildContext
from tinyflow.pipeline.firmware import Firmware
from tinyflow.storage.cache import ContentHash
from tinyflow.timing.cycle_model import Timing
from tinyflow.timing.traced_run import model_inference
from tinyflow.timing.traced_vectors import Timings, summarise, to_trace


@dataclass(frozen=True)
class Measured:
    """A firmware and what its inferences showed.

    Attributes:
        firmware: what was run.
        verification: its outputs beside the oracle's, instructions and stack.
        timings: modelled cycles of a few vectors, with the board's latency correction.
    """

    firmware: Firmware
    verification: Verification
    timings: Timings


def measure(context: BuildContext, firmware: Firmware) -> Measured:
    """Run the image in the emulator, and model its cycles.

    Raises:
        DeviceError: the firmware faulted, or a traced inference is not the one that was verified.
    """
    verification = _verify(context, firmware)
    timings = _model_timings(context, firmware, verification)
    return Measured(firmware, verification, timings.corrected(context.correction))


def _verify(context: BuildContext, firmware: Firmware) -> Verification:
    """Run the image in the simulator: exactness, instructions, stack, and all test samples."""
    prepared, code, image = firmware.planned.prepared, firmware.planned.code, firmware.image
    tflite, vectors, test = prepared.quantised.tflite, prepared.vectors, prepared.test
    board, progress = context.board, context.progress
    key = ContentHash("verified", VERSION, board.model_dump_json(), image.path, tflite)
    for sample in [*vectors, *test]:
        key.add(*sample)
    key.add(len(vectors), len(test))

    def make(folder: Path) -> None:
        progress.stage(f"emulate on {board.id} ({len(vectors)} vectors)")
        verification = verify_firmware(
            image,
            board,
            tflite,
            entry=f"{code.name}_invoke",
            layers=[layer.function for layer in code.layers],
            vectors=vectors,
            samples=test,
            stateful=code.stateful,
            on_progress=lambda done, total: progress.line(f"{done}/{total} inferences"),
        )
        verification.save(folder)

    return Verification.load(context.cache.fetch(key.key(), make, "the verification"))


def _model_timings(
    context: BuildContext, firmware: Firmware, verification: Verification
) -> Timings:
    """Trace a few inferences of the vectors again, and model their cycles.

    Raises:
        DeviceError: a traced inference is not the one that was verified.
    """
    code, image, vectors = (
        firmware.planned.code,
        firmware.image,
        firmware.planned.prepared.vectors,
    )
    board, traced = context.board, to_trace(verification.instructions)
    ahead = vectors if code.stateful else ()
    key = ContentHash("timings", VERSION, board.model_dump_json(), image.path, *traced)
    for sample in (*ahead, *(vectors[index] for index in traced)):
        key.add(*sample)

    def make(folder: Path) -> None:
        context.progress.stage(
            f"model cycles on {board.id} ({len(traced)} of {len(vectors)} vectors)"
        )
        for index in traced:
            timing = model_inference(
                image,
                board,
                entry=f"{code.name}_invoke",
                layers=[layer.function for layer in code.layers],
                sample=vectors[index],
                before=ahead[:index],
            )
            timing.save(folder / f"timing_{index}.json")

    entry = context.cache.fetch(key.key(), make, "the timing")
    timings = {index: Timing.load(entry / f"timing_{index}.json", board) for index in traced}
    for index, timing in timings.items():
        executed = [layer.instructions for layer in timing.layers]
        if executed != verification.layer_instructions[index]:
            raise DeviceError(
                "the traced inference executed other instructions than the verified one",
                hint="This is a bug in tinyflow; please report it with the model.",
            )
    return summarise(timings, verification.instructions)
