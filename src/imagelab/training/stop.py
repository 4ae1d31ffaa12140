"""Stop a run at the next safe place after Ctrl-C or SIGTERM, and immediately after a second one."""

import os
import signal
from types import FrameType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR1") if hasattr(signal, name))
NOTICE = "Stopping at the next step; a second signal stops at once, without a checkpoint."


class Stopped(Exception):  # noqa: N818 - not an error
    """The run stopped on request.

    Args:
        signum: Number of the signal that requested it.
    """

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class Pruned(Exception):  # noqa: N818 - not an error
    """The trial of a sweep was pruned, since it cannot become the best."""


class StopRequest:
    """Hold the number of the signal that requested a stop; 0 until there is one."""

    def __init__(self) -> None:
        self.signum = 0

    def listen(self) -> None:
        """Handle the signals, instead of Lightning, whose SIGTERM handler communicates with other ranks."""
        for signum in SIGNALS:
            signal.signal(signum, self._handle)

    def ignore(self) -> None:
        """Restore the default action of the signals."""
        for signum in SIGNALS:
            signal.signal(signum, signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL)

    def _handle(self, signum: int, frame: FrameType | None) -> None:
        if self.signum:
            os._exit(128 + signum)
        self.signum = signum
        before = "\r\x1b[K" if os.isatty(2) else "\n"  # over the bar, and the ^C of the terminal
        os.write(2, f"{before}{NOTICE}\n".encode())
