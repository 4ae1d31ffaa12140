"""Run one attempt: record how it ended in results.json and the exit status, and keep its last state."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

from imagelab.config.launched import launched
from imagelab.config.schema import Node
from imagelab.logger.closing import close_all
from imagelab.problem import Problem
from imagelab.runs import claim, files
from imagelab.terminal import refusal, screen
from imagelab.terminal.failure import SMALLER, original, sentence
from imagelab.training.loss_record import Diverged
from imagelab.training.own_ranks import CHECKPOINT, RUN, own_ranks
from imagelab.training.rank_group import rank_group
from imagelab.training.results import results
from imagelab.training.stop import Pruned, Stopped, StopRequest

Report = Callable[[Path, Any, Node], Mapping[str, str]]  # folder, parts, results -> closing lines


class Attempt:
    """Guards a run from building its parts to the closing table.

    Args:
        cfg: Config of the run.
        folder: Folder of the run.
        checkpoint: Checkpoint to resume from; None for a new run.

    Attributes:
        report: Function that writes the report, if any; its errors never fail the run.
        messages: Closing lines by name: of the report, and the run's pages on servers.
    """

    def __init__(self, cfg: Node, folder: Path, checkpoint: Path | None) -> None:
        self.cfg = cfg
        self.folder = folder.resolve()
        self.checkpoint = checkpoint
        self.report: Report | None = None
        self.parts: Any = None  # set once they are built
        self.fitting = False
        self.stop = StopRequest()
        self.messages: Mapping[str, str] = {}
        os.environ[RUN] = str(self.folder)
        os.environ[CHECKPOINT] = str(checkpoint or "")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn every way in which the block may end early into results.json and an exit status."""
        with own_ranks():
            try:
                yield
            except Stopped as stopped:
                self.close("stopped")
                self._end(128 + stopped.signum)
            except Pruned:
                self.close("pruned")
            except (KeyboardInterrupt, SystemExit):  # before our signal handlers are installed
                self.close("stopped")
                self._end(128 + (self.stop.signum or signal.SIGINT))
            except Exception as error:
                self._fail(error)
            finally:
                self.stop.ignore()

    def close(self, status: str, test: dict[str, float] | None = None, error: str = "") -> Node:
        """Write results.json as far as the run got, and the report if it finished or diverged.

        While the report is written, results.json calls the run stopped: resume completes one killed then.
        """
        content = results(status, self.cfg, self.parts, test or {}) | ({"error": error} if error else {})
        if screen.speaks() and self._began():
            if self.report and (status == "finished" or error.startswith("Diverged")):
                files.write_json(self.folder / files.RESULTS, content | {"status": "stopped"})
                self._report(self.report, content)
            files.write_json(self.folder / files.RESULTS, content)
        if self.parts is not None:
            pages = close_all(self.parts.trainer.loggers, failed=status == "failed")
            self.messages = {**self.messages, **pages}
        return content

    def _report(self, report: Report, content: Node) -> None:
        try:
            self.messages = report(self.folder, self.parts, content)
        except Exception as error:
            screen.say(
                f"The report failed: {sentence(error)}"
                f" Try again: `imagelab report run={self.folder}`."  # room: reports
            )

    def _fail(self, error: Exception) -> NoReturn:
        """Say what went wrong; exit with status 2 before training has begun, else with 1."""
        began = self._began()
        known = isinstance(error, Problem)
        group = rank_group()
        if group and self.fitting and not known:
            group.fail(error)
        if not known and not screen.speaks():
            self._fail_beside()
        kind, text = original(error)
        of_others = group.failures() if group else []
        why = of_others[0] if of_others else sentence(error, self._smaller())
        message = text if known else f"{why} {self._trace(began)}"
        screen.complain([message], None if began else refusal.HEAD)
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error)
        with suppress(OSError):  # on a full disk
            self.close("failed", error=f"{kind}: {text}")
        self._end(1 if began else 2, resumable=not isinstance(error, Diverged))

    def _smaller(self) -> str:
        """What to try if memory runs out: half the batch and twice the accumulation train the same."""
        if self.parts is None:
            return SMALLER
        batch = self.parts.data.batch(self.parts.trainer.world_size)
        windows = 2 * self.cfg["trainer"]["accumulate_grad_batches"]
        half = f"data.batch_size={batch // 2} trainer.accumulate_grad_batches={windows}, or "
        ways = f"{half if batch > 1 else ''}trainer.on_oom=halve, or trainer.precision=bf16-mixed"
        return f"The batch was {batch} images per device: try {ways}."

    def _fail_beside(self) -> NoReturn:
        """End an additional rank that failed: keep its trace and let the first rank write results."""
        mine = launched()
        rank = mine.rank if mine else os.environ["LOCAL_RANK"]
        with suppress(OSError):  # another machine need not have the folder
            (self.folder / f"error_rank_{rank}.log").write_text(traceback.format_exc(), encoding="utf-8")
        if not mine:
            time.sleep(10)  # Lightning would kill the first rank
        sys.exit(1)

    def _trace(self, began: bool) -> str:
        """Save the stack trace of the current error; return a sentence that says where."""
        if not began:  # the folder of this run is removed
            return "HYDRA_FULL_ERROR=1 in the environment shows the stack trace."
        with suppress(OSError):
            (self.folder / "error.log").write_text(traceback.format_exc(), encoding="utf-8")
            return f"The stack trace is in {self.folder / 'error.log'}"
        return ""

    def _end(self, code: int, resumable: bool = True) -> NoReturn:
        if not screen.speaks():
            code = (
                code if launched() else 0
            )  # Lightning kills the whole run if another rank exits with an error
        elif not self._saved():
            screen.release()
            claim.discard(self.folder)
        elif code != 2:
            last = self.folder / "checkpoints" / "last.ckpt"
            next_step = f"Resume with: imagelab train resume={self.folder}"
            if not resumable:
                next_step = (
                    f"Last good weights: {last}\n"
                    "Resuming from them would fail the same way: change the config."
                )
            screen.say(f"Run folder: {self.folder}\n{next_step}")
        sys.exit(code)

    def _began(self) -> bool:
        return self.fitting and self._saved()

    def _saved(self) -> bool:
        return (self.folder / "checkpoints" / "last.ckpt").exists()
