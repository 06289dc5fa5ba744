# SPDX-License-Identifier: Apache-2.0
"""What every stage of a build works with."""

from __future__ import annotations

from dataclasses import dataclass, field

from tinyflow.boards import Board
from tinyflow.kernels.cmsis_nn.source import CmsisNN, find_cmsis_nn
from tinyflow.pipeline.dump import BuildObserver
from tinyflow.pipeline.request import BuildRequest
from tinyflow.progress import Progress
from tinyflow.storage.cache import Cache
from tinyflow.timing.latency_correction import LatencyCorrection, correction_of


@dataclass(frozen=True)
class BuildContext:
    """The request of a build, and what its stages share.

    Attributes:
        request: the build's options and data.
        cmsis: the copy of CMSIS-NN.
        correction: the latency correction of the board, None if there is none.
        cache: keeps the results of stages that take long.
        progress: shows the stages.
        observer: sees the graph, the choice and the plan.
    """

    request: BuildRequest
    cmsis: CmsisNN
    correction: LatencyCorrection | None = None
    cache: Cache = field(default_factory=Cache)
    progress: Progress = field(default_factory=Progress)
    observer: BuildObserver = field(default_factory=BuildObserver)

    @property
    def board(self) -> Board:
        """The board that the build is for."""
        return self.request.board


def context_of(
    request: BuildRequest,
    cache: Cache,
    progress: Progress,
    observer: BuildObserver | None = None,
) -> BuildContext:
    """Find CMSIS-NN and the board's latency correction for a request.

    Raises:
        InputError: there is no CMSIS-NN where the request says.
    """
    return BuildContext(
        request,
        find_cmsis_nn(request.cmsis_nn),
        correction_of(request.board),
        cache,
        progress,
        observer or BuildObserver(),
    )
