"""Hold a run at a moment of its own until a test stops, kills or frees it: events decide, not clocks."""

import json
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.runs_of_the_command import SERVER, start

MOMENTS = ("row", "epoch end", "validation", "writing")
FURTHER = 2  # rows after which a run that goes on is held again, so that none ends before it is killed
LONGEST = 120  # seconds that a run may take until it is held


class Held:
    """The test's end of the line to a run that is started with `start(..., held=)`.

    Args:
        moment: Where the run is held. row: after a row of metrics. epoch end: after the row of a validation.
            validation: after its first batch. writing: while a checkpoint is written.
        rows: Rows of metrics that the run must have written before.
    """

    def __init__(self, moment: str, rows: int = 1) -> None:
        assert moment in MOMENTS
        self.moment, self.rows = moment, rows
        self.line, self.theirs = SERVER.Pipe()

    def wait(self) -> None:
        """Wait until the run is held."""
        assert self.line.poll(LONGEST), f"the run was not held: {self.moment}"
        self.line.recv()

    def step(self) -> None:
        """Let the run go on; some rows later it is held again."""
        self.line.send(None)

    def free(self) -> None:
        """Let the run go on to its end."""
        self.line.close()


def hold(moment: str, rows: int, line: Connection) -> None:
    """In the process of the run: be held at the moment, and from some rows later on at each row."""
    from imagelab.checkpoints import durable
    from imagelab.logger.csv import CsvLogger
    from imagelab.training.saver import Saver

    log, validated, write = CsvLogger.log_metrics, Saver.on_validation_batch_end, durable.write_durably
    seen, again = 0, 0

    def reached(now: str) -> None:
        nonlocal again
        if seen < rows or not (now == moment if not again else now == "row" and seen >= again):
            return
        again = seen + FURTHER
        try:
            line.send(None)
            line.recv()
        except (EOFError, OSError):  # it is free
            again = 1 << 60

    def logged(self: CsvLogger, metrics: Any, step: int | None = None) -> None:
        nonlocal seen
        log(self, metrics, step)
        seen += 1
        reached("row")
        if "val/loss" in metrics:
            reached("epoch end")

    def validating(self: Saver, trainer: Any, *more: Any) -> None:
        if not trainer.sanity_checking:
            reached("validation")
        validated(self, trainer, *more)

    CsvLogger.log_metrics = logged
    Saver.on_validation_batch_end = validating
    durable.write_durably = lambda path, body: write(path, lambda file: (body(file), reached("writing")))


def stop_one_process(words: list[str], run: Path, folder: Path) -> None:
    """Train into `run`, and send SIGTERM to one of its processes while it writes a row: all stop."""
    held = Held("row")
    process = start([*words, f"hydra.run.dir={run}"], folder, held=held)
    held.wait()
    os.kill(process.pid, signal.SIGTERM)
    held.free()
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + signal.SIGTERM, output
    assert json.loads((run / "results.json").read_text())["status"] == "stopped"
