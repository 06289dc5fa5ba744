# SPDX-License-Identifier: Apache-2.0
"""The base of the dump's data."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class DumpedSection(BaseModel):
    """Data of a dump; not changed once made."""

    model_config = ConfigDict(frozen=True)
