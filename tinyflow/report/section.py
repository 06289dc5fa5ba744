# SPDX-License-Identifier: Apache-2.0
"""Base of all sections of a report."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of a report."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
