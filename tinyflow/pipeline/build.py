# SPDX-License-Identifier: Apache-2.0
"""The whole way from a model to verified firmware, in five stages.

| stage | module | gives |
|---|---|---|
| prune, quantise, import, optimise | `prepare` | `Prepared`: the graph, vectors, test samples |
| choose kernels, plan the memory, generate | `plan_model` | `Planned`: the model's library |
| place in RAM, compile | `firmware` | `Firmware`: the linked image |
| emulate, model cycles | `measure` | `Measured`: exactness and timings |
| report, judge | `describe` | `Report` |

Each stage takes the value of the one before, which it keeps in its own. Those that take long are
cached by the content of what goes into them, so that a second build does only what changed.
"""

from __future__ import annotations

from tinyflow.distribution import VERSION
from tinyflow.pipeline.context import BuildContext, context_of
from tinyflow.pipeline.describe import describe, judge, result_files
from tinyflow.pipeline.dump import dumping
from tinyflow.pipeline.firmware import build_firmware
from tinyflow.pipeline.measure import measure
from tinyflow.pipeline.output import Output, replacing
from tinyflow.pipeline.plan_model import plan_model
from tinyflow.pipeline.prepare import prepare
from tinyflow.pipeline.request import BuildRequest
from tinyflow.progress import LoggedProgress, Progress
from tinyflow.report.report_data import Report
from tinyflow.storage.cache import Cache
from tinyflow.storage.files import is_full, unwritable
from tinyflow.toolchain.platformio import require_platformio


def run(request: BuildRequest, progress: Progress | None = None) -> Report:
    """Build, emulate and report.

    Raises:
        TinyflowError: a stage failed; `tinyflow.errors` lists the kinds. After an
            ExactnessError or a BudgetError the output folder is complete all the same.
    """
    progress = LoggedProgress(progress or Progress())
    cache = Cache(warn=progress.warn)
    try:
        with (
            replacing(request.output, cache, progress) as output,
            dumping(request, cache, progress) as observer,
        ):
            require_platformio()  # before the minutes that a Keras model may take
            return _run(context_of(request, cache, progress, observer), output)
    except OSError as error:
        if is_full(error):
            raise unwritable(error.filename or "a temporary file", error) from error
        raise


def _run(context: BuildContext, output: Output) -> Report:
    prepared = prepare(context)
    planned = plan_model(context, prepared)
    with context.cache.workspace(VERSION, str(context.request.output)) as workspace:
        firmware = build_firmware(context, planned, workspace, output)
        measured = measure(context, firmware)
        report = describe(context, measured)
    output.files |= result_files(context, measured, report)
    judge(report)
    return report
