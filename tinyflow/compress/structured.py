# SPDX-License-Identifier: Apache-2.0
"""Structured pruning: filters removed for good, the network rebuilt smaller.

Filters are ranked by the L1 norm of their weights (Li et al. 2017, arXiv:1608.08710);
channels that an addition ties go together, ranked by the sum of their norms. `channels`
holds what depends on what, `layer_rules` how each layer shrinks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tinyflow.compress.channel_sets import ChannelSets, Granularity, Ids, choose_channels
from tinyflow.compress.layer_rules import LayerCall, OpaqueError, Shrunk, rules
from tinyflow.compress.summary import LayerChannels, PruneSummary, macs, parameters
from tinyflow.errors import InputError

if TYPE_CHECKING:
    import keras


def prune_channels(
    model: keras.Model, ratio: float, *, granularity: Granularity | int = 1, minimum: int = 1
) -> tuple[keras.Model, PruneSummary]:
    """A new model with `ratio` of each layer's channels removed; layers keep their names.

    The model's inputs and outputs keep their shapes. Where removal cannot be proved right
    (shared layers, layers with no rule, layers that mix channels) channels stay, and the
    summary says why. Models nested in the model are unfolded into it where names allow.

    Args:
        model: a built Functional or Sequential model; it is left unchanged.
        ratio: share of channels to remove, 0 <= ratio < 1, rounded down per layer.
        granularity: kept channels are rounded up to a multiple of it, for all layers or by their
            kind.
        minimum: channels that every layer keeps at least.

    Raises:
        InputError: the ratio is out of range, or the model is a subclass with its own `call`.
    """

    if not 0 <= ratio < 1:
        raise InputError(f"prune ratio {ratio:g}: must be at least 0 and less than 1")
    if isinstance(granularity, int):
        granularity = Granularity(granularity, granularity)
    if min(granularity.spatial, granularity.pointwise, minimum) < 1:
        raise InputError("prune granularity and minimum must be at least 1")
    flat = _unfold(model)
    sets = ChannelSets()
    calls, outputs = number_channels(flat, sets)
    keep = choose_channels(sets, ratio, granularity=granularity, minimum=minimum)

    shrunk: dict[str, Shrunk] = {}
    for name, (call, rule) in calls.items():
        shrunk[name] = rule.shrink(call, [keep[ids] for ids in call.ids], keep[outputs[name]])
    config = flat.get_config()
    for item in config["layers"]:
        # Sizes of before; Keras infers the new ones.
        item.pop("build_config", None)
        name = item["config"]["name"]
        if name in shrunk:
            item["config"].update(shrunk[name].settings)
    pruned: keras.Model = type(flat).from_config(config)
    for layer in flat.layers:
        weights = shrunk[layer.name].weights if layer.name in shrunk else layer.get_weights()
        if weights:
            pruned.get_layer(layer.name).set_weights(weights)
    summary = PruneSummary(
        method="structured",
        parameters_before=parameters(model),
        parameters_after=parameters(pruned),
        macs_before=macs(model),
        macs_after=macs(pruned),
        layers=tuple(
            LayerChannels(producer.name, len(producer.ids), int(keep[producer.ids].sum()))
            for producer in sets.producers
        ),
        unprunable=_unprunable(sets),
    )
    return pruned, summary


def _unprunable(sets: ChannelSets) -> dict[str, str]:
    found: dict[str, str] = {}
    for producer in sets.producers:
        reasons = [sets.reason(root) for root in sets.roots(producer.ids).tolist()]
        if reasons and all(reason is not None for reason in reasons):
            found[producer.name] = str(reasons[0])
    return found


def graph_of(model: Any) -> Any:
    """The graph of a model: itself, or the one inside a Sequential."""
    import keras

    if isinstance(model, keras.Sequential):
        return model._functional
    if type(model) is keras.Model or type(model).__name__ == "Functional":
        return model
    raise InputError(
        f"the model {model.name!r} is of the class {type(model).__name__} with its own `call`",
        hint="Structured pruning takes Functional and Sequential models.",
    )


def _unfold(model: Any) -> Any:
    """The model with nested Functional and Sequential models replaced by their layers."""
    import keras

    graph = graph_of(model)
    if not any(isinstance(operation, keras.Model) for operation in graph.operations):
        return model
    leaves = [
        layer.name
        for layer in model._flatten_layers(include_self=False, recursive=True)
        if not isinstance(layer, keras.Model | keras.layers.InputLayer)
    ]
    if len(set(leaves)) != len(leaves):
        return model

    def apply(operation: Any) -> Any:
        if isinstance(operation, keras.Sequential) or type(operation).__name__ == "Functional":

            def nested(inputs: Any, **_: Any) -> Any:
                return graph_of(operation)._run_through_graph(inputs, operation_fn=apply)

            return nested
        return operation

    outputs = graph._run_through_graph(graph._inputs_struct, operation_fn=apply)
    return keras.Model(graph._inputs_struct, outputs, name=model.name)


def number_channels(
    model: Any, sets: ChannelSets
) -> tuple[dict[str, tuple[LayerCall, Any]], dict[str, Ids]]:
    """Number every tensor's channels; the calls with a rule, and their outputs, by layer name."""
    import keras

    graph = graph_of(model)
    table = rules()
    ids: dict[int, Ids] = {}
    calls: dict[str, tuple[LayerCall, Any]] = {}
    outputs: dict[str, Ids] = {}
    nodes = [
        node for depth in sorted(graph._nodes_by_depth, reverse=True)
        for node in graph._nodes_by_depth[depth]
    ]  # fmt: skip
    uses: dict[int, int] = {}
    for node in nodes:
        uses[id(node.operation)] = uses.get(id(node.operation), 0) + 1
    for node in nodes:
        layer = node.operation
        if isinstance(layer, keras.layers.InputLayer):
            for tensor in node.outputs:
                ids[id(tensor)] = sets.fresh(_last(tensor))
                sets.freeze(ids[id(tensor)], "it is tied to the model's input")
            continue
        inputs = list(node.input_tensors)
        arguments = [*node.arguments.args, *node.arguments.kwargs.values()]
        known = [ids[id(tensor)] for tensor in inputs]
        call = LayerCall(layer, arguments, inputs, list(node.outputs), known)
        rule = table.get(type(layer))
        try:
            if uses[id(layer)] > 1:
                raise OpaqueError("it is used more than once")
            if rule is None or len(node.outputs) != 1:
                raise OpaqueError(f"layers of class {type(layer).__name__} have no pruning rule")
            if any(len(i) != _last(t) for i, t in zip(call.ids, inputs, strict=True)):
                raise OpaqueError("its channels are not known")
            carried = rule.carry(sets, call)
            calls[layer.name] = (call, rule)
            outputs[layer.name] = carried
            ids[id(node.outputs[0])] = carried
        except OpaqueError as opaque:
            reason = f"{layer.name!r} keeps its channels: {opaque}"
            for tied in call.ids:
                sets.freeze(tied, reason)
            for tensor in node.outputs:
                fresh = _opaque_output(sets, layer, tensor)
                sets.freeze(fresh, reason)
                ids[id(tensor)] = fresh
    for tensor in graph.outputs:
        sets.freeze(ids[id(tensor)], "it is tied to the model's output", first=True)
    return calls, outputs


def _opaque_output(sets: ChannelSets, layer: Any, tensor: Any) -> Ids:
    if hasattr(layer, "filters") or hasattr(layer, "units"):
        known = any(producer.name == layer.name for producer in sets.producers)
        if not known:
            return sets.produce(layer.name, np.zeros(_last(tensor)))
    return sets.fresh(_last(tensor))


def _last(tensor: Any) -> int:
    """The number of channels; none of a scalar or dynamic axis, which no rule accepts."""
    return int(tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0
