# SPDX-License-Identifier: Apache-2.0
"""Latency: cycles, time and energy from an exact trace of what ran.

Two halves, each declared as data: the cores' pipelines (`single_issue`, `dual_issue`) and the
boards' memories (`timing` in the board files). `counts` counts what happened, `model` prices it,
`measure` makes the traces, and `validation` says how wrong the result has been.
"""
