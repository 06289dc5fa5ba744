# SPDX-License-Identifier: Apache-2.0
"""Interface to the targets that run firmware: the simulator, Renode and a real board."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Target(ABC):
    """A byte stream to and from firmware that speaks the harness protocol.

    Used as a context manager, it closes itself at the end of the block.
    """

    #: Name in messages: `simulator`, `renode`, `serial:/dev/ttyACM0`.
    name: str

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send bytes to the firmware's UART.

        Raises:
            DeviceError: the target is gone or the firmware faulted.
        """

    @abstractmethod
    def read(self, count: int, timeout_s: float) -> bytes:
        """Receive up to `count` bytes; fewer, or none, when the time is over.

        A simulated device that waits for input has nothing more to say, which is known at
        once: then it returns what there is without waiting.

        Raises:
            DeviceError: the target is gone or the firmware faulted.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the target; closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
