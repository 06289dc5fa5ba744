# SPDX-License-Identifier: Apache-2.0
"""Structured pruning keeps numbers of channels that make the model faster, never slower."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import pytest

from tinyflow.boards import board_ids, load_board
from tinyflow.compress.channel_sets import ChannelSets, Granularity, choose_channels
from tinyflow.datasets.dataset import Dataset
from tinyflow.pipeline.context import context_of
from tinyflow.pipeline.prune_choice import _best, _predicted, choose_granularity
from tinyflow.pipeline.request import BuildRequest
from tinyflow.progress import Progress
from tinyflow.settings.project_file import PruneTable
from tinyflow.storage.cache import Cache

pytestmark = pytest.mark.slow

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    return Cache(tmp_path_factory.mktemp("cache"))


def request(board: str, ratio: float) -> BuildRequest:
    return BuildRequest(
        model=DIGITS / "digits.keras",
        board=load_board(board),
        output=Path("build"),
        prune=PruneTable(method="structured", ratio=ratio),
    )


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5])
def test_no_ratio_makes_the_digits_slower(cache: Cache, ratio: float) -> None:
    pytest.importorskip("keras")
    x = np.load(DIGITS / "calibration.npz")["x"]
    choices = {
        board: choose_granularity(
            context_of(request(board, ratio), cache, Progress()), Dataset((x,))
        )
        for board in board_ids()
    }
    for choice in choices.values():
        assert choice.cycles is not None
        assert choice.unpruned_cycles is not None
        assert choice.cycles <= choice.unpruned_cycles
    if ratio >= 0.3:
        for choice in choices.values():
            assert choice.cycles is not None
            assert choice.unpruned_cycles is not None
            assert choice.cycles < 0.75 * choice.unpruned_cycles
    # The exact numbers of channels would have been slower: that is what this is about.
    if ratio == 0.1:
        entry = next(path.parent for path in cache.root.glob("*/*/candidates.json"))
        context = context_of(request("stm32f746", ratio), cache, Progress())
        exact = _predicted(context, entry / "candidate_1.tflite")
        before = choices["stm32f746"].unpruned_cycles
        assert exact is not None
        assert before is not None
        assert exact > 1.3 * before


def test_the_fewest_cycles_are_taken() -> None:
    assert _best([100, 120, 90, 95]) == 2
    assert _best([100, 120, 130]) == 0
    assert _best([100, 100, 120]) == 1
    assert _best([100]) == 0
    assert _best([None, None, None, None]) == 2


def test_granularity_by_kind_of_layer() -> None:
    sets = ChannelSets()
    norms = np.arange(30, dtype=np.float64)
    window = sets.produce("window", norms, spatial=True)
    point = sets.produce("point", norms)
    tied = sets.produce("tied", norms), sets.produce("tied window", norms, spatial=True)
    sets.tie(*tied)
    keep = choose_channels(sets, 0.3, granularity=Granularity(8, 4), minimum=1)
    assert [int(keep[ids].sum()) for ids in (window, point, *tied)] == [24, 24, 24, 24]
    keep = choose_channels(sets, 0.1, granularity=Granularity(16, 4), minimum=1)
    assert [int(keep[ids].sum()) for ids in (window, point, *tied)] == [30, 28, 30, 30]
