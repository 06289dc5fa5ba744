# SPDX-License-Identifier: Apache-2.0
"""IF and WHILE of a .tflite made operators of the main subgraph.

A branch that is known to be taken replaces its IF; else both branches are computed, and SELECT_V2
chooses each output. A WHILE with a known number of iterations is unrolled. What is left has no
subgraphs but those of CALL_ONCE, and gives the same bytes: where a branch or a loop may run other
than once, it keeps no state.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tinyflow.errors import InputError, UnsupportedError
from tinyflow.tflite.file import operator_name, parse_tflite, text
from tinyflow.tflite.known_values import KnownValue, constant_value, values_of
from tinyflow.tflite.operator_reader import indices

#: Iterations of a loop at most: each becomes code.
MAX_ITERATIONS = 64
_DAMAGED = "The file is damaged; convert the model again."
#: Operators and nested subgraphs at most, of the whole model.
MAX_OPERATORS = 4096
_MAX_DEPTH = 16
_KINDS = ("IF", "WHILE")
_RESOURCES = frozenset({"ASSIGN_VARIABLE", "CALL_ONCE", "READ_VARIABLE", "VAR_HANDLE"})
#: Types that SELECT_V2 chooses between.
_SELECTED = {
    schema.TensorType.FLOAT32,
    schema.TensorType.INT8,
    schema.TensorType.INT32,
}


def without_control_flow(content: bytes, path: Path) -> bytes:
    """A .tflite file's bytes without IF and WHILE; unchanged if there are none.

    Tensors of the main subgraph keep their indices; those of other subgraphs follow them.

    Args:
        content: the file's bytes.
        path: where they came from, for messages only.

    Raises:
        InputError: the file is damaged.
        UnsupportedError: a loop's number of iterations is not known or too great, or a branch or
            loop keeps a state.
    """
    model = parse_tflite(content, path)
    if not _Inliner(model, path).run():
        return content
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def has_control_flow(content: bytes, path: Path) -> bool:
    """Whether a .tflite file's main subgraph has an IF or a WHILE.

    Raises:
        InputError: the file is damaged.
    """
    model = parse_tflite(content, path)
    operators = model.subgraphs[0].operators or []
    return any(operator_name(model, operator, path) in _KINDS for operator in operators)


class _Inliner:
    """Rewrites a model (`schema.ModelT`) in place."""

    def __init__(self, model: Any, path: Path) -> None:
        self.model = model
        self.path = path
        self.main = model.subgraphs[0]
        self.tensors: list[Any] = list(self.main.tensors or [])
        self.operators: list[Any] = []
        #: Outputs of IF and WHILE that are another tensor.
        self.same: dict[int, int] = {}

    def run(self) -> bool:
        """Rewrite all; whether there was anything to do."""
        operators = list(self.main.operators or [])
        if not any(self._kind(operator) in _KINDS for operator in operators):
            return False
        for operator in operators:
            self._check(operator, len(self.main.tensors or []), len(self.main.tensors or []))
            self._add(operator, 0)
        self.main.tensors = self.tensors
        self.main.operators = self.operators
        outputs = [self.same.get(index, index) for index in indices(self.main.outputs)]
        self.main.outputs = np.array(outputs, np.int32)
        self._drop_subgraphs()
        return True

    def _drop_subgraphs(self) -> None:
        """Keep those that CALL_ONCE runs."""
        kept = [0]
        for operator in self.operators:
            if self._kind(operator) == "CALL_ONCE":
                called = getattr(operator.builtinOptions, "initSubgraphIndex", 0)
                if 0 < called < len(self.model.subgraphs) and called not in kept:
                    kept.append(called)
                if called in kept:
                    operator.builtinOptions.initSubgraphIndex = kept.index(called)
        self.model.subgraphs = [self.model.subgraphs[index] for index in kept]
        self.model.signatureDefs = None

    # ------------------------------------------------------------------------- operators

    def _add(self, operator: Any, depth: int) -> None:
        """Add an operator of which the operands are tensors of the main subgraph."""
        if len(self.operators) >= MAX_OPERATORS:
            raise UnsupportedError(
                f"{self.path}: more than {MAX_OPERATORS} operators with all branches and loops",
                hint="Convert the model with fewer iterations.",
            )
        operator.inputs = np.array(
            [self.same.get(index, index) for index in indices(operator.inputs)], np.int32
        )
        match self._kind(operator):
            case "IF":
                self._if(operator, depth)
            case "WHILE":
                self._while(operator, depth)
            case _:
                self.operators.append(operator)

    def _if(self, operator: Any, depth: int) -> None:
        options = self._options(operator, schema.IfOptionsT)
        condition, *arguments = indices(operator.inputs) or [-1]
        branches = [
            self._called(operator, options.thenSubgraphIndex),
            self._called(operator, options.elseSubgraphIndex),
        ]
        outputs = indices(operator.outputs)
        if condition < 0 or self.tensors[condition].type != schema.TensorType.BOOL:
            raise self._damaged(operator, "no condition of bool")
        known = constant_value(self.model, self.tensors[condition])
        if known is not None and known.size == 1:
            self._call(operator, branches[0 if known.all() else 1], arguments, outputs, depth)
            return
        if indices(self.tensors[condition].shape) not in ([], [1]):
            raise self._refuse(
                operator,
                "the condition is more than one element",
                "Reduce it to one, by REDUCE_ANY or REDUCE_ALL.",
            )
        for branch in branches:
            self._refuse_state(operator, branch, "its condition is computed")
        results = []
        for branch in branches:
            results.append([self._twin(index) for index in outputs])
            self._call(operator, branch, arguments, results[-1], depth)
        for output, *choices in zip(outputs, *results, strict=True):
            if self.tensors[output].type not in _SELECTED:
                raise self._refuse(
                    operator,
                    "its condition is computed, and an output is not int8, int32 or float32",
                    "Make the condition a constant before the model is converted.",
                )
            chosen = [self.same.get(index, index) for index in choices]
            self._select(condition, chosen, output)

    def _select(self, condition: int, choices: Sequence[int], output: int) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SELECT_V2
        code.version = 1
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs = np.array([condition, *choices], np.int32)
        operator.outputs = np.array([output], np.int32)
        operator.builtinOptionsType = schema.BuiltinOptions.SelectV2Options
        operator.builtinOptions = schema.SelectV2OptionsT()
        self.operators.append(operator)

    def _while(self, operator: Any, depth: int) -> None:
        options = self._options(operator, schema.WhileOptionsT)
        condition = self._called(operator, options.condSubgraphIndex)
        body = self._called(operator, options.bodySubgraphIndex)
        arguments, outputs = indices(operator.inputs), indices(operator.outputs)
        if not len(indices(body.inputs)) == len(indices(body.outputs)) == len(arguments):
            raise self._damaged(operator, "its body gives other values than it takes")
        if len(outputs) != len(arguments):
            raise self._damaged(operator, f"{len(outputs)} outputs")
        count = self._iterations(operator, condition, body, arguments)
        if count:
            self._refuse_state(operator, body, "it is a loop")
        for iteration in range(count):
            last = iteration == count - 1
            results = outputs if last else [self._twin(index) for index in outputs]
            self._call(operator, body, arguments, results, depth)
            arguments = [self.same.get(index, index) for index in results]
        if not count:
            self.same |= zip(outputs, arguments, strict=True)

    def _iterations(
        self, operator: Any, condition: Any, body: Any, arguments: Sequence[int]
    ) -> int:
        """Count a loop's iterations, from the values that are known in it."""
        values: list[KnownValue] = [
            constant_value(self.model, self.tensors[index]) for index in arguments
        ]
        for count in range(MAX_ITERATIONS + 1):
            (goes_on, *_) = values_of(self.model, condition, values, self.path) or [None]
            if goes_on is None or goes_on.size != 1:
                raise self._refuse(
                    operator,
                    "the number of its iterations is not known: its condition depends on an input "
                    "or on more than integers",
                    "Convert the model with a fixed number of steps and unrolled loops (Keras's "
                    "recurrent layers: unroll=True).",
                )
            if not goes_on.all():
                return count
            values = values_of(self.model, body, values, self.path)
        raise self._refuse(
            operator,
            f"it takes more than {MAX_ITERATIONS} iterations, of which each would become code",
            "Give it fewer steps, or make one step the model and call it in a loop.",
        )

    # ------------------------------------------------------------------------- subgraphs

    def _call(
        self,
        operator: Any,
        subgraph: Any,
        arguments: Sequence[int],
        results: Sequence[int],
        depth: int,
    ) -> None:
        """Add a copy of a subgraph's operators, that writes the results.

        Args:
            operator: the IF or WHILE.
            subgraph: what it runs.
            arguments: tensors of the main subgraph for its inputs.
            results: tensors of the main subgraph for its outputs.
            depth: of IF and WHILE in each other.
        """
        if depth >= _MAX_DEPTH:
            raise self._refuse(operator, "subgraphs that run each other without an end", _DAMAGED)
        inputs, outputs = indices(subgraph.inputs), indices(subgraph.outputs)
        tensors = subgraph.tensors or []
        if len(inputs) != len(arguments) or len(outputs) != len(results):
            raise self._damaged(
                operator,
                f"{len(arguments)} inputs and {len(results)} outputs for a subgraph of "
                f"{len(inputs)} and {len(outputs)}",
            )
        if any(not 0 <= index < len(tensors) for index in (*inputs, *outputs)):
            raise self._damaged(operator, "a subgraph is damaged")
        for outer, inner in zip((*arguments, *results), (*inputs, *outputs), strict=True):
            self._check_alike(operator, self.tensors[outer], tensors[inner])
        places = dict(zip(inputs, arguments, strict=True))
        written = {index for each in subgraph.operators or [] for index in indices(each.outputs)}
        for result, output in zip(results, outputs, strict=True):
            if output in written and output not in places:
                places[output] = result
        for index, tensor in enumerate(tensors):
            if index not in places:
                places[index] = len(self.tensors)
                self.tensors.append(tensor)
        for each in subgraph.operators or []:
            self._check(each, len(tensors), len(tensors))
            copied = copy.deepcopy(each)
            copied.inputs, copied.outputs, copied.intermediates = (
                np.array([_place(places, index) for index in indices(given)], np.int32)
                for given in (each.inputs, each.outputs, each.intermediates)
            )
            self._add(copied, depth + 1)
        self.same |= {
            result: self.same.get(places[output], places[output])
            for result, output in zip(results, outputs, strict=True)
            if places[output] != result
        }

    def _twin(self, index: int) -> int:
        """A new tensor like an output."""
        self.tensors.append(copy.copy(self.tensors[index]))
        return len(self.tensors) - 1

    # ---------------------------------------------------------------------------- checks

    def _kind(self, operator: Any) -> str:
        return operator_name(self.model, operator, self.path)

    def _where(self, operator: Any) -> str:
        outputs = indices(operator.outputs)
        index = outputs[0] if outputs else -1
        name = text(self.tensors[index].name) if 0 <= index < len(self.tensors) else ""
        return f"{self._kind(operator)} layer {name or index!r}"

    def _damaged(self, operator: Any, problem: str) -> InputError:
        return InputError(f"{self.path}: {self._where(operator)}: {problem}", hint=_DAMAGED)

    def _refuse(self, operator: Any, problem: str, hint: str) -> UnsupportedError:
        return UnsupportedError(f"{self.path}: {self._where(operator)}: {problem}", hint=hint)

    def _check(self, operator: Any, inputs: int, outputs: int) -> None:
        """Check that operands are tensors of their subgraph."""
        read = (*indices(operator.inputs), *indices(operator.intermediates))
        if any(not -1 <= index < inputs for index in read) or any(
            not 0 <= index < outputs for index in indices(operator.outputs)
        ):
            raise InputError(
                f"{self.path}: {self._kind(operator)} names a tensor that does not exist",
                hint=_DAMAGED,
            )

    def _options(self, operator: Any, kind: type[Any]) -> Any:
        if not isinstance(operator.builtinOptions, kind) or -1 in indices(operator.inputs):
            raise self._damaged(operator, "lacks its options or an input")
        return operator.builtinOptions

    def _called(self, operator: Any, index: int) -> Any:
        if not 0 < index < len(self.model.subgraphs):
            raise InputError(
                f"{self.path}: {self._where(operator)} runs subgraph {index}, which is the model "
                "itself or does not exist",
                hint=_DAMAGED,
            )
        return self.model.subgraphs[index]

    def _check_alike(self, operator: Any, outer: Any, inner: Any) -> None:
        """Check that a value is the same on both sides of a call, which copies its bytes."""
        alike = outer.type == inner.type and indices(outer.shape) == indices(inner.shape)
        if not alike or _scaling(outer) != _scaling(inner):
            raise self._refuse(
                operator,
                f"the tensor {text(inner.name)!r} of a subgraph has another type, shape or scale "
                "than what it is given",
                _DAMAGED,
            )

    def _refuse_state(self, operator: Any, subgraph: Any, reason: str) -> None:
        """Refuse a subgraph with a state, which may run other than once."""
        kinds = [self._kind(each) for each in subgraph.operators or []]
        stateful = [
            kind
            for kind, each in zip(kinds, subgraph.operators or [], strict=True)
            if kind in _RESOURCES
            or each.customOptions is not None
            or any(
                0 <= index < len(subgraph.tensors) and subgraph.tensors[index].isVariable
                for index in indices(each.inputs)
            )
        ]
        if stateful:
            raise self._refuse(
                operator,
                f"{stateful[0]} in it may keep a state, but {reason}",
                "Move what keeps a state out of the branch or loop before the model is converted.",
            )


def _place(places: Mapping[int, int], index: int) -> int:
    return -1 if index == -1 else places[index]


def _scaling(tensor: Any) -> tuple[list[float], list[int]]:
    """Scales and zero points of a tensor; empty if it is not quantised."""
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None:
        return [], []
    points = [] if quantization.zeroPoint is None else quantization.zeroPoint
    return [float(scale) for scale in quantization.scale], [int(point) for point in points]
