"""The command `train`: check the config, fit, test with the best weights.

imagelab train data=cifar10 model=resnet9 augment=[flip,crop] trainer.max_epochs=10
"""

import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from imagelab import cli, config, runs, screen
from imagelab.problem import Problem

Node = dict[str, Any]
RUN, CHECKPOINT = "IMAGELAB_RUN", "IMAGELAB_CHECKPOINT"  # what further ranks of a run are told


def main() -> None:
    """Start a run, or go on with one: `resume=FOLDER`."""
    resumed = [word.removeprefix("resume=") for word in sys.argv[1:] if word.startswith("resume=")]
    if resumed:
        with cli.plainly():
            sys.exit(resume(resumed[-1], [word for word in sys.argv[1:] if not word.startswith("resume=")]))
    cli.run_hydra(start)


def start(cfg: Node, folder: Path) -> float | None:
    """Train in a new folder; the best value of the monitored metric is what a sweep compares."""
    runs.write_config(cfg, folder)
    return Session(cfg, folder, None).run()


def resume(name: str, changes: list[str]) -> int:
    """Go on in the folder of a stopped run, with its own config: only `config.MAY_CHANGE` may differ."""
    folder = runs.unfinished(name)
    cfg = config.changed(runs.read_config(folder), changes)
    from imagelab.checkpoint import last_good

    checkpoint, passed = last_good(folder / "checkpoints")
    screen.keep(folder / "console.log")
    for sentence in passed:
        screen.say(f"{sentence} Going on from the one before it.")
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
        os.environ[RUN] = str(self.folder)
        os.environ[CHECKPOINT] = str(checkpoint or "")

    def run(self) -> float | None:
        """Build, fit, test. However it ends, results.json says so and the exit status too."""
        from imagelab.stop import Stopped

        try:
            return self._run()
        except Stopped as stopped:
            self._close("stopped")
            self._end(128 + stopped.signum)
        except KeyboardInterrupt:
            self._end(128 + signal.SIGINT)
        except Problem as problem:
            screen.complain([str(problem)], None if self._began() else "This run cannot start:")
            self._close("failed")
            self._end(1 if self._began() else 2)
        except Exception as error:
            (self.folder / "error.log").write_text(traceback.format_exc())
            trace = f"The stack trace is in {self.folder / 'error.log'}"
            screen.complain([f"{type(error).__name__}: {_first_line(error)}. {trace}"])
            self._close("failed")
            self._end(1)

    def _run(self) -> float | None:
        from imagelab.build import build
        from imagelab.stop import StopRequest
        from imagelab.summary import closing_table

        if _speaks():
            screen.keep(self.folder / "console.log")
        self.parts = parts = build(self.cfg, self.folder, StopRequest())
        screen.say(self._opening())
        for logger in parts.trainer.loggers if self.checkpoint is None else []:
            logger.log_hyperparams(self.cfg)
        checkpoint = str(self.checkpoint) if self.checkpoint else None
        parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=checkpoint)
        test = self._test() if parts.data.has_test else {}
        screen.say(closing_table(self._close("finished", test), self.folder))
        return parts.saver.best.get("value")

    def _opening(self) -> Any:
        from imagelab.summary import opening

        data, trainer, classifier = self.parts.data, self.parts.trainer, self.parts.classifier
        lr, steps = classifier.groups[0]["lr"], data.steps(trainer.world_size)
        device = trainer.strategy.root_device.type
        return opening(
            classes=data.classes,
            counts=data.counts,
            model=type(classifier.net).__name__,
            parameters=sum(p.numel() for p in classifier.net.parameters()),
            device=device if trainer.world_size == 1 else f"{trainer.world_size} x {device}",
            batch_size=data.batch_size * trainer.world_size * trainer.accumulate_grad_batches,
            epochs=trainer.max_epochs,
            steps=trainer.max_epochs * -(-steps // trainer.accumulate_grad_batches),
            lr=lr,
            lr_note="" if lr == self.cfg["optimizer"]["lr"] else f"{self.cfg['optimizer']['lr']:g}, scaled",
            folder=self.folder,
        )

    def _test(self) -> dict[str, float]:
        """The test metrics of the best weights, in a fresh trainer: no trick of the training changes them."""
        from imagelab.build import build_trainer
        from imagelab.checkpoint import BEST, read

        parts = self.parts
        parts.classifier.load_state_dict(read(parts.saver.folder / BEST)["state_dict"])
        tester = build_trainer(self.cfg, self.folder, logger=False, callbacks=[], enable_checkpointing=False)
        tester.test(parts.classifier, datamodule=parts.data, verbose=False)
        metrics = {name: float(value) for name, value in tester.callback_metrics.items()}
        for logger in parts.trainer.loggers:
            logger.log_metrics(
                {"epoch": parts.trainer.current_epoch} | metrics, step=parts.trainer.global_step
            )
        return metrics

    def _close(self, status: str, test: dict[str, float] | None = None) -> Node:
        """Write results.json, as far as the run came."""
        from imagelab.logger.closing import close_all
        from imagelab.results import results

        content = results(status, self.cfg, self.parts, test or {})
        if self.parts is not None:
            close_all(self.parts.trainer.loggers, failed=status == "failed")
        if _speaks() and self._began():
            runs.write_json(self.folder / runs.RESULTS, content)
        return content

    def _end(self, code: int) -> None:
        if not _speaks():  # Lightning kills the whole run where a further rank ends with a status of its own
            code = 0
        elif self._began():
            screen.say(f"Run folder: {self.folder}\nGo on with: imagelab train resume={self.folder}")
        else:
            runs.discard(self.folder)
        sys.exit(code)

    def _began(self) -> bool:
        return (self.folder / "checkpoints" / "last.ckpt").exists()


def _speaks() -> bool:
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


if __name__ == "__main__":
    main()
