"""The command `train`: check the config, fit, test with the best weights.

imagelab train data=cifar10 model=resnet9 augment=[flip,crop] trainer.max_epochs=10
"""

import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from imagelab import cli, config, run_folder, runs, screen
from imagelab.own_ranks import own_ranks
from imagelab.problem import Problem
from imagelab.stop import Pruned, Stopped, StopRequest
from imagelab.sweep import started

Node = dict[str, Any]
RUN, CHECKPOINT = "IMAGELAB_RUN", "IMAGELAB_CHECKPOINT"  # what further ranks of a run are told


def main() -> None:
    """Start a run, or go on with one, or with a sweep: `resume=FOLDER`."""
    words = sys.argv[1:]
    resumed = [word for word in words if word.lstrip("+").startswith("resume=")]
    if resumed and not {"-h", "--help"} & set(words):
        name, others = resumed[-1].partition("=")[2], [word for word in words if word not in resumed]
        with cli.plainly():
            if not started.is_sweep(name):
                sys.exit(resume(name, others))
            sys.argv[1:] = started.again(Path(name), others)
    cli.run_hydra(start)


def start(cfg: Node, folder: Path) -> float | None:
    """Train in a new folder."""
    run_folder.begin(cfg, folder)
    return Session(cfg, folder, None).run()


def resume(name: str, changes: list[str]) -> int:
    """Go on in the folder of a stopped run, with its own config: only `config.MAY_CHANGE` may differ."""
    flags = [word for word in changes if word.startswith("-")]
    if flags:
        raise Problem(f"resume goes on with one run, in its folder; leave out {' '.join(flags)}.")
    folder = runs.unfinished(name)
    cfg = config.changed(runs.read_config(folder), changes)
    run_folder.lock(folder)
    from imagelab.checkpoint import last_good

    checkpoint, passed = last_good(folder / "checkpoints")
    if passed and checkpoint is None:
        raise Problem(f"resume={name}: there is no whole checkpoint to go on from. {' '.join(passed)}")
    screen.keep(folder / "console.log")
    screen.say(*[f"{sentence} Going on from the one before it." for sentence in passed])
    Session(cfg, folder, checkpoint).run()
    return 0


def join(folder: str) -> None:
    """Take part in a run as a further rank, which Lightning started."""
    screen.hush()
    checkpoint = os.environ.get(CHECKPOINT)
    Session(runs.read_config(Path(folder)), Path(folder), Path(checkpoint) if checkpoint else None).run()


class Session:
    """One attempt at a run: from building its parts to the closing table, with a record of how it ended."""

    def __init__(self, cfg: Node, folder: Path, checkpoint: Path | None) -> None:
        self.cfg, self.folder, self.checkpoint = cfg, folder.resolve(), checkpoint
        self.parts: Any = None
        self.told: dict[str, str] = {}  # what the report says, for the closing table
        self.fitting, self.stop = False, StopRequest()
        os.environ[RUN] = str(self.folder)
        os.environ[CHECKPOINT] = str(checkpoint or "")

    def run(self) -> float | None:
        """Build, fit, test. However it ends, results.json says so and the exit status too."""
        with own_ranks():
            try:
                return self._run()
            except Stopped as stopped:
                self._close("stopped")
                self._end(128 + stopped.signum)
            except Pruned:
                self._close("pruned")
            except (KeyboardInterrupt, SystemExit):  # before Lightning lets us listen, it ends by itself
                self._close("stopped")
                self._end(128 + (self.stop.signum or signal.SIGINT))
            except Exception as error:
                self._fail(error)
            finally:
                self.stop.ignore()

    def _run(self) -> float | None:
        from imagelab.build import build
        from imagelab.checkpoint import card
        from imagelab.plan import refuse_other_data
        from imagelab.summary import closing_table, stage_table

        if screen.speaks():
            screen.keep(self.folder / "console.log")
        known = card(self.checkpoint) if self.checkpoint else None
        self.parts = parts = build(self.cfg, self.folder, self.stop, known)
        if known:
            refuse_other_data(known, parts.classifier.card, self.folder)
        screen.say(self._opening(), *[stage_table(rows)] if (rows := parts.classifier.stage_rows()) else [])
        for logger in parts.trainer.loggers if self.checkpoint is None else []:
            logger.log_hyperparams(self.cfg)
        checkpoint, self.fitting = str(self.checkpoint) if self.checkpoint else None, True
        self.stop.listen()
        parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=checkpoint)
        test = self._test() if parts.data.has_test else {}
        content = self._close("finished", test)
        screen.say(closing_table(content, self.folder, self.told))
        return parts.saver.best.get("value")

    def _opening(self) -> Any:
        from imagelab.summary import opening

        data, trainer, classifier = self.parts.data, self.parts.trainer, self.parts.classifier
        lr, pace = max(group["lr"] for group in classifier.groups), classifier.pace
        device, own = trainer.strategy.root_device.type, self.cfg["optimizer"]
        note = f"{own['lr']:g} for {own['lr_base_batch']:,} images, {own['lr_scaling']}"
        return opening(
            classes=data.classes,
            counts=data.counts,
            model=type(classifier.net).__name__,
            parameters=sum(p.numel() for p in classifier.net.parameters()),
            device=device if trainer.world_size == 1 else f"{trainer.world_size} x {device}",
            batch_sizes=[pace.batch_size(epoch) for epoch in range(trainer.max_epochs)],
            epochs=trainer.max_epochs,
            steps=pace.total,
            lr=lr,
            lr_note=note if own["lr_scaling"] != "none" else "",
            folder=self.folder,
        )

    def _test(self) -> dict[str, float]:
        """The test metrics of the best epoch's weights, raw and averaged, in a trainer without tricks."""
        from imagelab.build import build_trainer
        from imagelab.checkpoint import BEST, module_state, read
        from imagelab.rules import metric_of
        from imagelab.saver import StopTest

        parts, callbacks, metrics = self.parts, [StopTest(self.stop)], {}
        content = read(parts.saver.folder / BEST)
        tester = build_trainer(
            self.cfg, self.folder, logger=False, callbacks=callbacks, enable_checkpointing=False
        )
        for weights in parts.saver.best["values"]:
            parts.classifier.load_state_dict(module_state(content, weights))
            tester.test(parts.classifier, datamodule=parts.data, verbose=False)
            metrics |= {metric_of(key, weights): float(v) for key, v in tester.callback_metrics.items()}
        for logger in parts.trainer.loggers:
            logger.log_metrics(
                {"epoch": parts.trainer.current_epoch} | metrics, step=parts.trainer.global_step
            )
        return metrics

    def _close(self, status: str, test: dict[str, float] | None = None, error: str = "") -> Node:
        """Write results.json, as far as the run came, and the report where it came to an end."""
        from imagelab.logger.closing import close_all
        from imagelab.results import results

        content = results(status, self.cfg, self.parts, test or {}) | ({"error": error} if error else {})
        if screen.speaks() and self._began():
            runs.write_json(self.folder / runs.RESULTS, content)
            if status == "finished" or error.startswith("Diverged"):
                self._report(content)
        if self.parts is not None:
            close_all(self.parts.trainer.loggers, failed=status == "failed")
        return content

    def _report(self, content: Node) -> None:
        """Read the curves; what goes wrong in it never fails the run."""
        from imagelab.failure import sentence
        from imagelab.report import after_training
        from imagelab.summary import near

        try:
            verdict, step = after_training(self.cfg, self.folder, self.parts, content)
            page = near(self.folder / "report.html")
            self.told = {"verdict": f"{verdict.state}. {step.sentence}", "try": step.command, "report": page}
        except Exception as error:
            screen.say(
                f"There is no report: {sentence(error)} `imagelab report run={self.folder}` tries again."
            )

    def _fail(self, error: Exception) -> NoReturn:
        """Say what went wrong; exit status 2 before training has begun, then 1."""
        from imagelab.failure import sentence
        from imagelab.loss_record import Diverged

        began, known = self._began(), isinstance(error, Problem)
        if not known and not screen.speaks():
            self._fail_beside()
        told = str(error) if known else f"{sentence(error)} {self._trace(began)}"
        screen.complain([told], None if began else cli.HEAD)
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error)
        with suppress(OSError):  # on a full disk
            self._close("failed", error=f"{type(error).__name__}: {error}")
        self._end(1 if began else 2, go_on=not isinstance(error, Diverged))

    def _fail_beside(self) -> NoReturn:
        """A further rank fails: keep its trace, let the first one write its results, end the run."""
        with suppress(OSError):
            file = self.folder / f"error_rank_{os.environ['LOCAL_RANK']}.log"
            file.write_text(traceback.format_exc(), encoding="utf-8")
        time.sleep(10)
        sys.exit(1)

    def _trace(self, began: bool) -> str:
        """Keep the stack trace of the error that is being handled; where it is, in a sentence."""
        if not began:  # nothing stays of this run
            return "HYDRA_FULL_ERROR=1 in the environment shows the stack trace."
        with suppress(OSError):
            (self.folder / "error.log").write_text(traceback.format_exc(), encoding="utf-8")
            return f"The stack trace is in {self.folder / 'error.log'}"
        return ""

    def _end(self, code: int, go_on: bool = True) -> NoReturn:
        if not screen.speaks():
            code = 0  # Lightning kills the whole run where a further rank ends with a status of its own
        elif not self._saved():
            screen.release()
            run_folder.discard(self.folder)
        elif code != 2:
            last = self.folder / "checkpoints" / "last.ckpt"
            again = f"Go on with: imagelab train resume={self.folder}"
            anew = (
                f"The last good weights: {last}\nGoing on from them would end the same way: change the run."
            )
            screen.say(f"Run folder: {self.folder}\n{again if go_on else anew}")
        sys.exit(code)

    def _began(self) -> bool:
        return self.fitting and self._saved()

    def _saved(self) -> bool:
        return (self.folder / "checkpoints" / "last.ckpt").exists()


if __name__ == "__main__":
    main()
