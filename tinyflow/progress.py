"""Progress reporting."""

from __future__ import annotations


class Progress:
    """Told what is going on; this one keeps silent."""

    def stage(self, name: str) -> None:
        """A stage begins."""

    def line(self, text: str) -> None:
        """One line of the running stage's own output."""

    def skipped(self, name: str) -> None:
        """A stage's result was there already."""

    def warn(self, text: str) -> None:
        """Something the user should know, though the work goes on."""
