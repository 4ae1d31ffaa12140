"""Ctrl-C and SIGTERM ask a run to stop at the next safe place; the second one stops it at once."""

import os
import signal
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))


class Stopped(Exception):  # noqa: N818 - it is no error
    """The run was asked to stop, and did.

    Args:
        signum: The signal that asked.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Pruned(Exception):  # noqa: N818 - it is no error
    """The trial of a sweep has no hope of being the best, and ended early."""


class StopRequest:
    """Remembers the signal that asked to stop; 0 as long as none did."""

    def __init__(self) -> None:
        self.signum = 0

    def listen(self) -> None:
        """Take the signals over, from Lightning too: its SIGTERM handler talks to other ranks by itself."""
        for signum in SIGNALS:
            signal.signal(signum, self._handle)

    def ignore(self) -> None:
        """Forget the signals' handlers: their default action stands again."""
        for signum in SIGNALS:
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum:
            os._exit(128 + signum)
        self.signum = signum
        os.write(2, b"\nStopping at the next step; once more stops at once, without a checkpoint.\n")
