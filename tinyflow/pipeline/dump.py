# SPDX-License-Identifier: Apache-2.0
"""`--dump`: the graph after import and after each pass, the choice of kernels and the memory plan.

A build hands what it makes to a `BuildObserver`; the one that dumps writes its folder when the
build ends, and also when it fails, with what was made until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tinyflow.distribution import VERSION
from tinyflow.errors import InputError, TinyflowError
from tinyflow.ir.graph import Graph
from tinyflow.pipeline.output import replacing
from tinyflow.pipeline.request import BuildRequest
from tinyflow.progress import Progress
from tinyflow.report.dump.choice import DumpedSelection, dumped_selection, selection_text
from tinyflow.report.dump.graph import DumpedGraph, dumped_graph, graph_text
from tinyflow.report.dump.plan import DumpedPlan, dumped_plan, plan_text
from tinyflow.report.dump.section import DumpedSection
from tinyflow.report.dump.text import printable, quoted, table
from tinyflow.selection.objective import Limits
from tinyflow.selection.select import Selection
from tinyflow.storage.cache import Cache
from tinyflow.storage.files import open_folder
from tinyflow.storage.manifest import read_manifest

#: Everything as data; also what a folder must list to be taken for a dump.
DATA = "dump.json"
INDEX = "index.txt"


class BuildObserver:
    """Is given what a build makes on the way; this one ignores it."""

    def imported(self, graph: Graph) -> None:
        """The graph as imported."""

    def passed(self, name: str, round_: int, graph: Graph) -> None:
        """A pass has run; see `tinyflow.passes.Observer`."""

    def selected(self, graph: Graph, selection: Selection, limits: Limits) -> None:
        """Kernels are chosen, and the memory is planned."""


class DumpedPass(DumpedSection):
    """A pass that has run; `file` shows the graph after it, None if it changed nothing.

    `round` counts how many times the list of passes was begun; 0 for passes outside of it.
    """

    name: str
    round: int
    file: str | None
    operators: int


class DumpedStage(DumpedSection):
    """A graph, and the text file that shows it."""

    file: str
    graph: DumpedGraph


class DumpFile(DumpedSection):
    """`dump.json`; `failed` says how the build failed, and what it did not reach is None."""

    tinyflow: str
    model: str
    board: str
    failed: str | None
    passes: tuple[DumpedPass, ...]
    graphs: tuple[DumpedStage, ...]
    choice: DumpedSelection | None
    plan: DumpedPlan | None


@dataclass
class Dump(BuildObserver):
    """Keeps what a build makes, as the files of a dump."""

    request: BuildRequest
    texts: dict[str, str] = field(default_factory=dict)
    _last: Graph | None = None
    _passes: list[DumpedPass] = field(default_factory=list)
    _stages: list[DumpedStage] = field(default_factory=list)
    _choice: DumpedSelection | None = None
    _plan: DumpedPlan | None = None

    def imported(self, graph: Graph) -> None:
        """Keep the graph as imported."""
        self._add_graph("import", "as imported, after what reads only constants was folded", graph)

    def passed(self, name: str, round_: int, graph: Graph) -> None:
        """Keep a pass, and the graph if it changed."""
        file = None
        if graph is not self._last:
            when = f" in round {round_}" if round_ else ""
            file = self._add_graph(name.replace("_", "-"), f"after the pass {name}{when}", graph)
        self._passes.append(
            DumpedPass(name=name, round=round_, file=file, operators=len(graph.operators))
        )

    def selected(self, graph: Graph, selection: Selection, limits: Limits) -> None:
        """Keep the choice with its alternatives, and the plan."""
        request = self.request
        self._choice = dumped_selection(selection, request.kernels, request.optimize, limits)
        self._plan = dumped_plan(graph, selection.plan)
        self.texts[self._name("choice")] = selection_text(self._choice)
        self.texts[self._name("plan")] = plan_text(self._plan)

    def files(self, failure: Exception | None = None) -> dict[str, bytes]:
        """The files of the dump by name.

        Args:
            failure: what ended the build, None if it is complete.
        """
        failed = None if failure is None else _failed(failure)
        data = DumpFile(
            tinyflow=VERSION,
            model=printable(self.request.model.name),
            board=self.request.board.id,
            failed=failed,
            passes=tuple(self._passes),
            graphs=tuple(self._stages),
            choice=self._choice,
            plan=self._plan,
        )
        texts = {
            INDEX: self._index(failed),
            **self.texts,
            DATA: data.model_dump_json(indent=1) + "\n",
        }
        return {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}

    def _add_graph(self, name: str, title: str, graph: Graph) -> str:
        """Add a graph's file; returns its name."""
        file, data = self._name(name), dumped_graph(graph)
        head, before = f"{title}\n", None
        if self._stages:
            before = self._stages[-1].graph
            head += f"+ is new or changed since {self._stages[-1].file}, - is gone\n"
        self.texts[file] = f"{head}\n{graph_text(data, before)}"
        self._stages.append(DumpedStage(file=file, graph=data))
        self._last = graph
        return file

    def _name(self, name: str) -> str:
        return f"{len(self.texts):02}-{name}.txt"

    def _index(self, failed: str | None) -> str:
        """What is in the folder, and what each pass did."""
        what = {stage.file: f"{len(stage.graph.operators)} operators" for stage in self._stages}
        parts = [
            f"tinyflow {VERSION}, {quoted(self.request.model.name)} for {self.request.board.id}\n",
            *([] if failed is None else [f"the build failed: {failed}\n"]),
            "\nfiles\n",
            table(("file", "graph"), ((file, what.get(file, "")) for file in self.texts)),
            f"  {DATA} has all of them as data\n",
        ]
        if self._passes:
            rows = (
                (each.round, each.name, each.operators, each.file or "changed nothing")
                for each in self._passes
            )
            parts += [
                "\npasses, in the order they ran; they begin again until none changes anything\n",
                table(("round", "pass", "operators", "result"), rows),
            ]
        return "".join(parts)


def _failed(failure: Exception) -> str:
    message = failure.message if isinstance(failure, TinyflowError) else str(failure)
    return printable(f"{type(failure).__name__}: {message}")


@contextmanager
def dumping(request: BuildRequest, cache: Cache, progress: Progress) -> Iterator[BuildObserver]:
    """The observer of a build; with `--dump`, its folder is written at the end.

    If the build fails, the folder shows what was made until then; if it fails before the import,
    the folder stays as it was.

    Raises:
        InputError: the folder of the dump and that of the build are one, or one is in the other;
            it holds a build or anything else that is no dump; it cannot be written.
    """
    if request.dump is None:
        yield BuildObserver()
        return
    _check_folders(request)
    failure: Exception | None = None
    try:
        with replacing(request.dump, cache, progress, option="--dump") as folder:
            dump = Dump(request)
            try:
                yield dump
            except Exception as error:
                if not dump.texts:
                    raise
                failure = error
            folder.files = dump.files(failure)
    except InputError as error:
        if failure is None:
            raise
        progress.warn(f"no dump was written: {error.message}")
    if failure is not None:
        raise failure


def _check_folders(request: BuildRequest) -> None:
    dump, output = request.dump, request.output
    assert dump is not None
    if dump.is_relative_to(output) or output.is_relative_to(dump):
        raise InputError(
            f"{dump}: the dump cannot share a folder with the build in {output}",
            hint="Choose a --dump outside of it.",
        )
    if dump.is_symlink() or not dump.is_dir():
        return
    with open_folder(dump) as folder:
        listed = read_manifest(folder)
    if listed and DATA not in listed:
        raise InputError(
            f"{dump}: holds a build, which the dump would replace", hint="Choose another --dump."
        )
