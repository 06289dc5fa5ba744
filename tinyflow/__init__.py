# SPDX-License-Identifier: Apache-2.0
"""tinyflow: from a trained Keras model to verified INT8 firmware on a microcontroller."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tinyflow import distribution

__version__ = distribution.VERSION

# Modules log under their own names below this logger; a program that wants to see that adds a
# handler, and `tinyflow -v` does.
logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from tinyflow.api import build as build
    from tinyflow.report.report_data import Report as Report

__all__ = ["Report", "__version__", "build"]


def __getattr__(name: str) -> Any:
    """Import the API when it is first used, so that a submodule alone imports fast."""
    if name == "build":
        from tinyflow.api import build

        return build
    if name == "Report":
        from tinyflow.report.report_data import Report

        return Report
    raise AttributeError(f"module 'tinyflow' has no attribute {name!r}")
