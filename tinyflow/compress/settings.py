"""What a user sets about pruning."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class PruneSettings(BaseModel):
    """The [prune] table of a project.

    Attributes:
        method: "structured" removes channels, "magnitude" zeroes weights, "none" does nothing.
        ratio: the share of channels, or of weights, to remove.
        epochs: epochs of fine-tuning where there is training data.
        learning_rate: where the cosine decay of Adam's rate begins.
        batch_size: samples per training step.
        seed: of the order of samples and of dropout.
        granularity: structured: kept channels are rounded up to a multiple of it.
        minimum: structured: channels every layer keeps at least.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["none", "structured", "magnitude"] = "none"
    ratio: float = Field(default=0.5, ge=0.0, lt=1.0)
    epochs: int = Field(default=10, ge=0)
    learning_rate: float = Field(default=1e-3, gt=0.0)
    batch_size: int = Field(default=32, gt=0)
    seed: int = Field(default=0, ge=0, lt=2**32)
    granularity: int = Field(default=1, ge=1)
    minimum: int = Field(default=1, ge=1)
