# SPDX-License-Identifier: Apache-2.0
"""`--dump`: the graph after each pass, the plan, the choice with its alternatives."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import snapshot
from tests.support.drawn_cnns import drawn_cnn
from tests.support.float_ends import float_ends_model
from tests.support.row_networks import residual_block, row_kernels, row_network
from tests.support.small_model import small_model
from tests.support.stateful_model import stateful_model
from tinyflow.boards import Board, load_board
from tinyflow.costs.table import shipped_costs
from tinyflow.errors import FitError, InputError, UnsupportedError
from tinyflow.ir.graph import Graph
from tinyflow.kernels.cmsis_nn.source import find_cmsis_nn
from tinyflow.passes import PASSES
from tinyflow.passes.float_ends import convert_at_ends
from tinyflow.pipeline import imported as imported_module
from tinyflow.pipeline import limits as select_module
from tinyflow.pipeline import plan_model as plan_model_module
from tinyflow.pipeline.build import run
from tinyflow.pipeline.request import BuildRequest
from tinyflow.plan.memory import Planner, plan_memory
from tinyflow.progress import Progress
from tinyflow.report.dump.choice import dumped_selection, selection_text
from tinyflow.report.dump.graph import dumped_graph, graph_text
from tinyflow.report.dump.plan import DumpedPlan, dumped_plan, plan_text
from tinyflow.selection.objective import Limits, Totals, broken
from tinyflow.selection.select import Selection, select
from tinyflow.settings.project_file import KernelSet
from tinyflow.storage.manifest import MARKER
from tinyflow.tflite.importer import import_model

BOARD = load_board("stm32l4r5")
NETWORKS: dict[str, Callable[[], bytes]] = {
    "small": small_model,
    "state": stateful_model,
    "floats": lambda: float_ends_model((6, 6, 3)),
    **{f"rows {seed}": partial(row_network, seed) for seed in range(6)},
    **{f"drawn {seed}": partial(drawn_cnn, seed) for seed in range(4)},
}


def _graph(content: bytes) -> Graph:
    return import_model(content, Path("net.tflite"), name="net")


# --------------------------------------------------------------------------------- graphs


def _operator_lines(text: str) -> list[str]:
    """Without the marks and positions."""
    start = text.index("\noperators: ")
    return [line[8:] for line in text[start:].split("\n\n", maxsplit=1)[0].splitlines()[2:]]


@pytest.mark.parametrize("name", NETWORKS)
def test_an_operator_is_a_line_with_all_that_it_has(name: str) -> None:
    graph = convert_at_ends(_graph(NETWORKS[name]()))
    lines = _operator_lines(graph_text(dumped_graph(graph)))
    assert len(lines) == len(graph.operators)
    for line, operator in zip(lines, graph.operators, strict=True):
        assert line.startswith(f"{operator.title} ")
        for index in (*operator.inputs(), *operator.outputs()):
            tensor = graph.tensors[index]
            shape = ",".join(map(str, tensor.shape))
            assert f"%{index} " in line and f"{tensor.dtype.value}[{shape}]" in line


def test_a_line_reads_as_written_here() -> None:
    graph = _graph(small_model())
    lines = _operator_lines(graph_text(dumped_graph(graph)))
    assert lines[2] == (
        'ADD "add" left=%1 "stem" int8[1,4,4,4] {0.05, 3}, '
        'right=%4 "spatial" int8[1,4,4,4] {0.05, 3} -> '
        '%7 "add" int8[1,4,4,4] {0.08, 3} | activation=NONE'
    )
    assert "weights=%2" in lines[0] and "const int8[4,3,3,3] {axis 0: " in lines[0]
    assert "window=(stride=[2,2], padding=SAME" in lines[0]
    data = json.loads(dumped_graph(graph).model_dump_json())
    stem = next(tensor for tensor in data["tensors"] if tensor["name"] == "stem")
    assert stem["quantization"]["scales"] == [graph.tensors[stem["index"]].q.scale]
    assert data["operators"][0]["reads"] == {"input": [0], "weights": [2], "bias": [3]}


HOSTILE = 'a\nCONV_2D "x"\x1b[2J\r\u202e\\n'


def test_names_cannot_break_lines() -> None:
    graph = _graph(small_model(lambda name: f"{name} {HOSTILE}"))
    data = dumped_graph(graph)
    text = graph_text(data)
    assert len(_operator_lines(text)) == len(graph.operators)
    assert text.isascii() and all(char.isprintable() for char in text.replace("\n", ""))
    json.loads(data.model_dump_json())


def test_fused_names_are_short_in_operators_and_whole_among_tensors() -> None:
    text = graph_text(dumped_graph(_graph(small_model(lambda name: f"{name};fused/{name}"))))
    operators, tensors = text.split("tensors in use")
    assert '%1 "stem" int8' in operators and "fused/" not in operators
    assert '%1 "stem;fused/stem" activation' in tensors


def test_what_a_pass_changed_is_marked() -> None:
    before = _graph(small_model())
    flat = next(each for each in PASSES if each.__name__ == "bypass_reshapes")(before)
    after = next(each for each in PASSES if each.__name__ == "drop_unread")(flat)
    marked = {
        line[:1] + line[8:].split(" ")[0]
        for line in graph_text(dumped_graph(after), dumped_graph(before)).splitlines()
        if line.startswith(("+", "- "))
    }
    assert marked == {"+FULLY_CONNECTED", "-RESHAPE", "-FULLY_CONNECTED"}
    unchanged = graph_text(dumped_graph(before), dumped_graph(before))
    assert "+" not in unchanged and "gone" not in unchanged


# ----------------------------------------------------------------------------------- plan


def _planned(name: str, room: int | None) -> tuple[Graph, DumpedPlan]:
    graph = convert_at_ends(_graph(NETWORKS[name]()))
    plan = plan_memory(graph, row_kernels(graph, BOARD, find_cmsis_nn()), room=room)
    return graph, dumped_plan(graph, plan)


@pytest.mark.parametrize("room", [None, 0])
@pytest.mark.parametrize("name", NETWORKS)
def test_buffers_overlap_in_place_only(name: str, room: int | None) -> None:
    _, plan = _planned(name, room)
    allowed = {frozenset((each.input, each.output)) for each in plan.overlaps}
    found = set()
    for (i, one), (j, other) in combinations(enumerate(plan.buffers), 2):
        meet = one.first <= other.last and other.first <= one.last
        shared = min(one.offset + one.bytes, other.offset + other.bytes) - max(
            one.offset, other.offset
        )
        if meet and shared > 0:
            found.add(frozenset((i, j)))
    assert found == allowed
    assert max(each.offset + each.bytes for each in plan.buffers) <= plan.arena
    # A step of a layer is one in which its tensors are in use.
    steps = {layer.step for layer in plan.layers}
    assert steps == set(range(len(steps)))


def test_fused_blocks_and_overlaps_are_shown() -> None:
    graph = _graph(residual_block())
    plan = plan_memory(graph, row_kernels(graph, BOARD, find_cmsis_nn()), room=0)
    (block,) = plan.fused_blocks
    data = dumped_plan(graph, plan)
    (shown,) = data.fused_blocks
    assert (shown.first, shown.last + 1, shown.turns) == (block.first, block.end, len(block.steps))
    assert shown.rings == dict(block.rings)
    rings = {b.tensors[0]: (b.offset, b.rows) for b in data.buffers if b.kind == "ring"}
    assert rings == {tensor: (ring.offset, ring.rows) for tensor, ring in plan.rings.items()}
    text = plan_text(data)
    assert f"arena  {plan.arena_size:,} bytes" in text
    assert f"layers {block.first} to {block.end - 1}, {len(block.steps)} rows computed" in text
    for each in data.overlaps:
        output, source = data.buffers[each.output], data.buffers[each.input]
        assert source.offset - output.offset == each.lead
        assert f"{each.shared:,} bytes" in text
    assert data.overlaps


def test_states_are_shown() -> None:
    graph, plan = _planned("state", None)
    assert [state.tensor for state in plan.states] == graph.states()
    assert f"state  {plan.state:,} bytes" in plan_text(plan) and plan.state > 0


# --------------------------------------------------------------------------------- choice


def _selected(
    content: bytes, kernels: KernelSet = "auto", limits: Limits | None = None
) -> tuple[Any, Selection]:
    limits = limits or Limits()
    selection = select(
        _graph(content),
        BOARD,
        find_cmsis_nn(),
        lambda undecided: shipped_costs(BOARD),
        kernels=kernels,
        limits=limits,
    )
    return dumped_selection(selection, kernels, "balanced", limits), selection


def test_every_kernel_is_shown_with_its_reason() -> None:
    data, selection = _selected(small_model())
    for layer, options in zip(data.layers, selection.choice.options, strict=True):
        assert len(layer.alternatives) == len(options) - 1
        assert layer.taken.reason is None
        assert all(each.reason and each.inference for each in layer.alternatives)
    assert sum(layer.taken.cycles for layer in data.layers) == selection.choice.known_totals.cycles
    text = selection_text(data)
    assert text.count("\n  *  ") == len(data.layers)
    assert text.count(" taken\n") == len(data.layers)


def test_an_alternative_has_the_figures_of_the_build_with_it() -> None:
    """All layers run whole, and each differs: so the figures add up."""
    data, selection = _selected(small_model())
    assert selection.totals is not None
    for layer in data.layers:
        for other in layer.alternatives:
            expected = selection.totals.cycles - layer.taken.cycles + other.cycles
            assert other.inference.cycles == expected
    (pooling,) = (layer for layer in data.layers if layer.operator == "AVERAGE_POOL_2D")
    (library,) = (each for each in pooling.alternatives if each.library == "CMSIS-NN")
    assert "cycles +" in library.reason and library.reason.startswith("worse")


def test_no_reason_contradicts_the_figures() -> None:
    data, selection = _selected(row_network(0))
    assert selection.totals is not None
    limits = Limits(flash=selection.totals.flash, arena=selection.totals.arena)
    data, _ = _selected(row_network(0), limits=limits)
    broke = 0
    for layer in data.layers:
        for other in layer.alternatives:
            totals = Totals(**other.inference.model_dump())
            beyond = broken(totals, limits)
            assert other.reason.startswith("breaks the limit on") == bool(beyond), other
            assert all(
                f"limit on {name}: {getattr(totals, name):,}" in other.reason for name in beyond
            )
            broke += bool(beyond)
    assert broke


def test_what_is_not_allowed_says_so() -> None:
    data, _ = _selected(small_model(), "cmsis-nn")
    left_out = [each for layer in data.layers for each in layer.alternatives]
    assert left_out
    assert {each.reason for each in left_out} == {"left out by kernels = cmsis-nn"}
    assert not any(layer.taken.sources for layer in data.layers)
    assert any(layer.taken.sources for layer in _selected(small_model())[0].layers)


def test_alternatives_compare_with_an_estimate_like_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The arena of a plan may be smaller than any that the search knows."""
    before = _selected(small_model())[0].estimate
    monkeypatch.setattr(Planner, "planned_arena", lambda *_: 8)
    assert _selected(small_model())[0].estimate == before


# --------------------------------------------------------------------------------- folder


class Told(Progress):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., list[str]]:
    """A build that fails before anything is compiled, since the board's flash is too small."""
    model = tmp_path / "net.tflite"
    model.write_bytes(small_model())
    board = _with_little_flash(BOARD)

    def run_it(dump: Path, output: Path = tmp_path / "build") -> list[str]:
        told = Told()
        with pytest.raises(FitError):
            run(BuildRequest(model, board, output, dump=dump), told)
        return told.warnings

    return run_it


def _with_little_flash(board: Board) -> Board:
    flash = board.flash.model_copy(update={"size": 64})
    memories = tuple(flash if each == board.flash else each for each in board.memory)
    return board.model_copy(update={"memory": memories})


def test_a_build_that_fails_is_dumped_as_far_as_it_came(
    build: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert build(tmp_path / "dump") == []
    assert not (tmp_path / "build").exists()
    names = sorted(path.name for path in (tmp_path / "dump").iterdir())
    assert names == [
        MARKER,
        "00-import.txt",
        "01-bypass-reshapes.txt",
        "02-drop-unread.txt",
        "03-choice.txt",
        "04-plan.txt",
        "dump.json",
        "index.txt",
    ]
    data = json.loads((tmp_path / "dump" / "dump.json").read_text())
    assert data["failed"].startswith("FitError: the model does not fit stm32l4r5")
    assert len(data["choice"]["layers"]) == len(data["plan"]["layers"]) == 6
    assert [stage["file"] for stage in data["graphs"]] == names[1:4]
    index = (tmp_path / "dump" / "index.txt").read_text()
    assert "the build failed: FitError" in index
    passes = [line.split() for line in index.splitlines()]
    names_of = [each.__name__ for each in PASSES]
    ran = [words[1] for words in passes if len(words) > 3 and words[0] in "123"]
    assert ran == names_of * 3
    assert sum(words[-2:] == ["changed", "nothing"] for words in passes) == 3 * len(PASSES)


def test_two_dumps_are_the_same_bytes(build: Callable[..., list[str]], tmp_path: Path) -> None:
    build(tmp_path / "one")
    build(tmp_path / "two")
    build(tmp_path / "two")  # a dump is replaced by the next one
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


def test_a_build_that_is_refused_before_the_import_leaves_the_dump_alone(
    build: Callable[..., list[str]], tmp_path: Path
) -> None:
    build(tmp_path / "dump")
    before = snapshot(tmp_path / "dump")
    (tmp_path / "net.tflite").write_bytes(b"no model")
    with pytest.raises(InputError):
        run(BuildRequest(tmp_path / "net.tflite", BOARD, tmp_path / "b", dump=tmp_path / "dump"))
    assert snapshot(tmp_path / "dump") == before


def test_a_pass_that_fails_is_dumped_up_to_it(
    build: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(graph: Graph) -> Graph:
        raise ZeroDivisionError("in a pass")

    monkeypatch.setattr(imported_module, "convert_at_ends", fail)
    request = BuildRequest(tmp_path / "net.tflite", BOARD, tmp_path / "b", dump=tmp_path / "dump")
    with pytest.raises(ZeroDivisionError):
        run(request)
    data = json.loads((tmp_path / "dump" / "dump.json").read_text())
    assert data["failed"] == "ZeroDivisionError: in a pass"
    assert data["choice"] is data["plan"] is None
    assert len(data["graphs"]) == 3


@pytest.mark.parametrize("kind", ["files", "changed", "build", "link", "inside", "around", "same"])
def test_a_folder_that_is_no_dump_is_refused(
    build: Callable[..., list[str]], tmp_path: Path, kind: str
) -> None:
    dump, output = tmp_path / "dump", tmp_path / "build"
    if kind == "files":
        dump.mkdir()
        (dump / "thesis.txt").write_text("years of work")
    elif kind == "changed":
        build(dump)
        (dump / "index.txt").write_text("notes of mine")
    elif kind == "build":
        build(dump)
        (dump / MARKER).write_text((dump / MARKER).read_text().replace("dump.json", "report.json"))
        (dump / "dump.json").rename(dump / "report.json")
    elif kind == "link":
        (tmp_path / "home").mkdir()
        dump.symlink_to(tmp_path / "home")
    elif kind == "inside":
        dump = output / "dump"
    elif kind == "around":
        output = dump / "build"
    else:
        output = dump
    before = snapshot(tmp_path)
    request = BuildRequest(tmp_path / "net.tflite", BOARD, output, dump=dump)
    with pytest.raises(InputError) as refused:
        run(request)
    assert str(dump) in refused.value.message
    assert "--output" not in str(refused.value.hint)
    assert snapshot(tmp_path) == before


def test_a_dump_that_cannot_be_written_hides_no_error(
    build: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = select_module.choose

    def choose(*arguments: Any) -> Selection:
        (tmp_path / "dump").mkdir()
        (tmp_path / "dump" / "theirs").write_text("put there meanwhile")
        return chosen(*arguments)

    monkeypatch.setattr(plan_model_module, "choose", choose)
    (warning,) = build(tmp_path / "dump")
    assert warning.startswith("no dump was written: ")
    assert os.listdir(tmp_path / "dump") == ["theirs"]  # noqa: PTH208


def test_an_operator_without_a_kernel_is_dumped_with_its_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> Selection:
        raise UnsupportedError("CONV_2D layer 'stem': no kernel supports it")

    monkeypatch.setattr(plan_model_module, "choose", refuse)
    model = tmp_path / "net.tflite"
    model.write_bytes(small_model())
    with pytest.raises(UnsupportedError):
        run(BuildRequest(model, BOARD, tmp_path / "b", dump=tmp_path / "dump"))
    index = (tmp_path / "dump" / "index.txt").read_text()
    assert "no kernel supports it" in index and "02-drop-unread.txt" in index
