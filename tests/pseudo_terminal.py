"""Run the command in a terminal of its own: what it shows, when, and what stays on the screen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

from imagelab.training.own_ranks import end_with_parent

HERE = Path(sys.executable).parent / "imagelab"
CONTROL = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")


class PseudoTerminal:
    """A command that believes that it writes to a terminal.

    Args:
        words: Words after `imagelab`.
        folder: Folder to run in.
        width: Columns of the terminal.
        program: What to run.
        environment: Variables to add.
    """

    def __init__(
        self, words: list[str], folder: Path, width: int = 80, program: Path = HERE, **environment: str
    ) -> None:
        mine, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            [str(program), *words],
            cwd=folder,
            env=kept | {"TERM": "xterm-256color", "OMP_NUM_THREADS": "1"} | environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(theirs)
        self.file, self.width, self.output = mine, width, ""

    def wait_for(self, text: str, seconds: float = 240) -> None:
        """Read until the output holds a text."""
        end = time.monotonic() + seconds
        while text not in self.output:
            assert self._read(end), f"no {text!r} in {self.output!r}"

    def type(self, keys: str) -> None:
        """Press keys; Ctrl-C is "\x03"."""
        os.write(self.file, keys.encode())

    def ended(self, seconds: float = 240) -> int:
        """Read to the end; return the exit status."""
        end = time.monotonic() + seconds
        while self._read(end):
            pass
        os.close(self.file)
        return self.process.wait(timeout=max(1, end - time.monotonic()))

    def cpu_seconds(self) -> float:
        """The CPU time that the command has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def lines(self) -> list[str]:
        """What stays on the screen, line by line."""
        return screen(self.output, self.width)

    def _read(self, end: float) -> bool:
        ready, _, _ = select.select([self.file], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            return False
        try:
            some = os.read(self.file, 1 << 16)
        except OSError:  # the other side has been closed
            return False
        self.output += some.decode(errors="replace")
        return bool(some)


def _take_terminal() -> None:
    """Be the command of a terminal, which Ctrl-C reaches: tests started in the background would ignore it."""
    end_with_parent(signal.SIGKILL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def screen(output: str, width: int) -> list[str]:
    """The lines that a terminal shows in the end; it knows the few control sequences that Rich uses.

    >>> screen("loading …\\r\\x1b[Kdone\\r\\nab\\x1b[1A\\x1b[2Kx", 80)
    ['  x', 'ab']
    """
    rows: list[list[str]] = [[]]
    row = column = at = 0
    while at < len(output):
        found = CONTROL.match(output, at)
        if found:
            at = found.end()
            number = int(found[1]) if found[1].isdigit() else 1
            if found[2] == "A":
                row = max(0, row - number)
            elif found[2] == "K":
                rows[row][0 if found[1] == "2" else column :] = [" "] * column if found[1] == "2" else []
            continue
        letter = output[at]
        at += 1
        if letter == "\r":
            column = 0
        elif letter == "\n":
            row += 1
        elif letter.isprintable():
            if column == width:
                row, column = row + 1, 0
            rows += [[] for _ in range(row + 1 - len(rows))]
            rows[row] += [" "] * (column + 1 - len(rows[row]))
            rows[row][column] = letter
            column += 1
        rows += [[] for _ in range(row + 1 - len(rows))]
    return ["".join(line).rstrip() for line in rows]
