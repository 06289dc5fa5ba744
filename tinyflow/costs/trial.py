# SPDX-License-Identifier: Apache-2.0
"""A graph with chosen kernels, run in the simulator without a firmware around it.

A trial compiles only the model's library and calls it: kernels are tested one by one this way,
and their cost is measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from tinyflow.arrays import Array
from tinyflow.boards import Board
from tinyflow.codegen.library import ModelCode, generate_model
from tinyflow.ir.graph import Graph
from tinyflow.ir.operators import Operator
from tinyflow.kernels.base import Kernel
from tinyflow.kernels.cmsis_nn.source import CmsisNN
from tinyflow.plan.memory import MemoryPlan, plan_memory
from tinyflow.timing.cycle_model import SectionTiming, Timing
from tinyflow.timing.traced_run import FunctionCall, Watch, call_function, compile_code, results_of
from tinyflow.toolchain.elf import Symbol, SymbolKind

#: Fill of the arena before an inference: a kernel must not count on zeros.
ARENA_FILL = b"\x5a"
_FLAGS = ("-O2", "-fbuiltin", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-I.", "-Ikernels")
_CMSIS_FLAGS = ("-O2", "-fbuiltin", "-w", "-I.", "-Ikernels", "-Icmsis_nn/Include")
_ONLY_WHAT_RUNS = ("-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections")


class Trial:
    """A compiled graph, ready to run.

    Attributes:
        plan: where everything lies in memory.
        code: the model's library as text.
    """

    def __init__(
        self,
        graph: Graph,
        kernels: Sequence[Kernel],
        board: Board,
        cmsis: CmsisNN,
        *,
        room: int | None = None,
        plan: MemoryPlan | None = None,
    ) -> None:
        """Plan, generate and compile; `room` is passed to `plan_memory` if there is no `plan`.

        Raises:
            BuildError: the compiler refused the code.
        """
        self._graph, self._board = graph, board
        self.plan = plan or plan_memory(graph, kernels, room=room)
        self.code: ModelCode = generate_model(graph, self.plan, cmsis, b"")
        uses_cmsis = any(kernel.library == "CMSIS-NN" for kernel in kernels)
        entry = f"-Wl,--entry={self.code.name}_invoke"
        self._image = compile_code(
            self.code.files,
            board,
            flags=(*(_CMSIS_FLAGS if uses_cmsis else _FLAGS), *_ONLY_WHAT_RUNS, entry),
            libraries=("m", "c", "gcc"),
        )

    def run(self, *inputs: Array) -> tuple[Array, ...]:
        """One inference: an array for each input in the arena gives one for each output there."""
        (outputs,) = self.run_each([inputs])
        return outputs

    def run_each(
        self, samples: Sequence[Sequence[Array]], *, watch: Watch | None = None
    ) -> list[tuple[Array, ...]]:
        """One inference after another, of a graph without state; `watch` may hook the engine."""
        return [self._outputs(memory) for memory in self.arenas(samples, watch=watch)]

    def arenas(
        self, samples: Sequence[Sequence[Array]], *, watch: Watch | None = None
    ) -> list[bytes]:
        """Return the arena's content after each inference: `ARENA_FILL` where nothing wrote."""
        calls = [self._call(inputs) for inputs in samples]
        found = results_of(self._image, self._board, calls, [self._arena], watch=watch)
        return [memory[self._arena] for memory in found]

    def _outputs(self, arena: bytes) -> tuple[Array, ...]:
        return tuple(
            np.frombuffer(arena, tensor.dtype.numpy, tensor.elements, offset)
            .reshape(tensor.shape)
            .copy()
            for tensor, offset in zip(
                (self._graph.tensors[index] for index in self._graph.outputs),
                self._offsets(self._graph.outputs),
                strict=True,
            )
        )

    def time(self, *inputs: Array, warm: bool = True) -> Timing:
        """Return the modelled timing of an inference by layer, with warm caches if `warm`."""
        layers = [layer.function for layer in self.code.layers]
        call = self._call(inputs)
        return call_function(self._image, self._board, call, warm=warm, layers=layers).timing

    def time_layers(self, *inputs: Array) -> dict[Operator, SectionTiming]:
        """The modelled timing of each layer called by itself, with empty caches.

        For layers side by side, which read nothing but inputs of the graph.
        """
        call = self._call(inputs)
        found = {}
        for layer in self.code.layers:
            alone = replace(call, entry=layer.function)
            measured = call_function(self._image, self._board, alone, layers=[layer.function])
            (found[layer.kernel.operator],) = measured.timing.layers
        return found

    def shared_code(self) -> dict[str, int]:
        """Bytes of all functions that are not the model's own, by symbol."""
        return {
            symbol.name: symbol.size
            for symbol in self._in_flash("function")
            if not symbol.name.startswith(self._prefix)
        }

    def layer_bytes(self) -> int:
        """Bytes in flash of the layers' functions and of the structures that describe them."""
        layers = {layer.function for layer in self.code.layers}
        functions = (one.size for one in self._in_flash("function") if one.name in layers)
        objects = (
            one.size for one in self._in_flash("object") if not one.name.startswith(self._prefix)
        )
        return sum(functions) + sum(objects)

    def _in_flash(self, kind: SymbolKind) -> Iterator[Symbol]:
        flash = self._board.flash
        return (
            symbol
            for symbol in self._image.symbols
            if symbol.kind == kind and flash.origin <= symbol.address < flash.origin + flash.size
        )

    @property
    def _prefix(self) -> str:
        return f"{self.code.name}_"

    @property
    def _arena(self) -> str:
        return f"{self._prefix}arena"

    def _offsets(self, tensors: Sequence[int]) -> list[int]:
        return [self.plan.tensors[index] for index in tensors]

    def _call(self, inputs: Sequence[Array]) -> FunctionCall:
        arena = bytearray(ARENA_FILL * self.plan.arena_size)
        for values, offset in zip(inputs, self._offsets(self._graph.inputs), strict=True):
            content = values.tobytes()
            arena[offset : offset + len(content)] = content
        return FunctionCall(f"{self._prefix}invoke", memory={self._arena: bytes(arena)})
