# SPDX-License-Identifier: Apache-2.0
"""Layers that are alike, whose kernels are decided together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tinyflow.costs.table import kernel_name
from tinyflow.selection.priced_kernels import PricedKernel


@dataclass(frozen=True)
class Group:
    """Group of layers with the same options at the same costs, which are decided together.

    Attributes:
        layers: their positions.
        options: for each position, the option of each layer, in the order of the layers.
    """

    layers: tuple[int, ...]
    options: tuple[tuple[PricedKernel, ...], ...]
    _moves: dict[tuple[str, bool], dict[int, int]] = field(default_factory=dict)

    @cached_property
    def cycles(self) -> tuple[int, ...]:
        """Cycles of all layers, for each position."""
        return tuple(sum(each.cost.cycles for each in o if each.cost) for o in self.options)

    @cached_property
    def own(self) -> tuple[int, ...]:
        """Bytes of flash that no other layer shares, for each position."""
        return tuple(sum(each.own for each in option) for option in self.options)

    @cached_property
    def pieces(self) -> tuple[dict[Hashable, int], ...]:
        """Code and constants that layers may share, with their bytes, for each position."""
        return tuple(
            {key: size for each in option for key, size in each.pieces.items()}
            for option in self.options
        )

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of the kernel, for each position."""
        return tuple(kernel_name(option[0].kernel) for option in self.options)

    def fastest(self, name: str, *, towards: bool) -> dict[int, int]:
        """Return each position's target if all groups move to a kernel, or away from it."""
        key = name, towards
        if key not in self._moves:
            others = [p for p, other in enumerate(self.names) if (other == name) is towards]
            to = min(others, key=lambda p: self.cycles[p], default=None)
            self._moves[key] = {
                position: to
                for position, other in enumerate(self.names)
                if to is not None and (towards or other == name)
            }
        return self._moves[key]


def grouped(layers: Sequence[tuple[PricedKernel, ...]]) -> list[Group]:
    """Group layers whose options cost the same."""
    members: dict[Hashable, list[int]] = {}
    for index, options in enumerate(layers):
        members.setdefault(tuple(map(alike, options)), []).append(index)
    return [
        Group(
            tuple(indices),
            tuple(zip(*(layers[index] for index in indices), strict=True)),
        )
        for indices in members.values()
    ]


def alike(option: PricedKernel) -> Hashable:
    """Return a key that is the same for options that a search need not tell apart."""
    kernel = option.kernel
    return kernel_name(kernel), option.cost, option.flash, kernel.scratch, len(kernel.overlaps)
