"""Run the command `train`: check the config, fit, test with the best weights.

imagelab train data=cifar10 model=resnet9 augment=[flip,crop] trainer.max_epochs=10
"""

import os
import signal
import sys
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

from imagelab import launch
from imagelab.config import validate
from imagelab.config.hydra_internals import plain_value
from imagelab.config.launched import launched
from imagelab.config.schema import Node
from imagelab.config.trust import take_words
from imagelab.problem import Problem
from imagelab.runs import claim, files, find
from imagelab.sweep import entry  # room: sweep
from imagelab.terminal import refusal, screen
from imagelab.training.own_ranks import CHECKPOINT, end_with_parent, run_to_join
from imagelab.training.rank_group import Order, RankGroup, building, rank_group

WAIT = 60  # seconds for the processes of an earlier attempt to end


def main() -> None:
    """Start a run, or resume a run or a sweep: `resume=FOLDER`; or take part in one, as one of its ranks."""
    if running := run_to_join():
        join(running)
        sys.exit(0)
    with refusal.plainly():
        mine = launched()
        if mine and mine.by == "torchrun":
            end_with_parent(signal.SIGTERM)
        group = rank_group()
    if group and group.mine.rank:
        sys.exit(follow(group))
    with group.leading() if group else nullcontext():
        lead()


def lead() -> None:
    """Do what the command line says."""
    sys.argv[1:] = take_words(sys.argv[1:])
    task = start
    with refusal.plainly():  # room: sweep
        dry, sys.argv[1:] = entry.take_dry_run(sys.argv[1:])
        sys.argv[1:] = entry.resuming(sys.argv[1:])
        task = entry.show if dry else start
    words = sys.argv[1:]
    resumed = [word for word in words if word.lstrip("+").startswith("resume=")]
    if resumed and not {"-h", "--help"} & set(words):
        name = plain_value(resumed[-1])
        others = [word for word in words if word not in resumed]
        with refusal.plainly():
            if name != "auto":
                sys.exit(resume(name, others))
            resume_own(others)
            sys.argv[1:] = others
    launch.run_hydra(
        task,
        resume=resume,
        plan=entry.prepare,  # room: sweep
    )


def start(cfg: Node, folder: Path) -> float | None:
    """Train in a new folder, or submit a job that does."""
    if entry.submitted(cfg, folder):  # room: sweep
        return None
    claim.begin(cfg, folder)
    return run(cfg, folder, None)


def resume_own(words: list[str]) -> None:
    """Resume the unfinished run of this very command and exit; return if there is none."""
    group = rank_group()
    folder = find.of_command(words)
    named = find.named_folder(words)
    if folder is None:
        if named:
            claim.forget_unbegun(named)
        if others := group.own_elsewhere() if group else []:
            raise Problem(
                f"resume=auto: the unfinished run of this command is not here, but on {others[0]}. "
                "Put its folder where all machines see it (hydra.run.dir=DIR), or start that machine first."
            )
        return
    if find.status(folder) == "finished":
        screen.say(f"{folder} has finished; there is nothing to resume.")
        sys.exit(0)
    sys.exit(resume(str(folder), [], patience=WAIT))


def resume(name: str, changes: list[str], patience: float = 0) -> int:
    """Resume a stopped run in its folder with its own config; only `validate.MAY_CHANGE` may differ."""
    flags = [word for word in changes if word.startswith("-")]
    if flags:
        raise Problem(f"resume continues one run in its own folder; leave out {' '.join(flags)}.")
    folder = find.unfinished(name)
    cfg = validate.changed(files.read_config(folder), changes)
    claim.lock(folder, patience)
    from imagelab.checkpoints.durable import last_good, remove_leftovers

    remove_leftovers(folder / "checkpoints")
    checkpoint, passed = last_good(folder / "checkpoints")
    if checkpoint is None and (passed or find.has_trained(folder)):
        why = " ".join(passed) or f"{folder / 'checkpoints'} is gone, and the run has trained."
        raise Problem(f"resume={name}: there is no checkpoint to resume from. {why}")
    screen.keep(folder / "console.log")
    screen.say(*[f"{sentence} Resuming from the one before it." for sentence in passed])
    run(cfg, folder, checkpoint)
    return 0


def follow(group: RankGroup) -> int:
    """Take part in the runs of the first rank that torchrun or srun started; return its exit status."""
    screen.hush()
    if "resume=auto" in sys.argv:
        group.report_own(find.of_command([word for word in sys.argv[1:] if word != "resume=auto"]))
    for order in group.orders():
        os.environ.update(order.environment)
        with suppress(SystemExit):  # the first rank says how it ends
            run(
                order.cfg,
                Path(order.folder),
                Path(order.checkpoint) if order.checkpoint else None,
                order.card,
            )
        if group.broken:
            return 1
    return group.code


def join(folder: str) -> None:
    """Join a run as an additional rank that Lightning started."""
    screen.hush()
    checkpoint = os.environ.get(CHECKPOINT)
    run(files.read_config(Path(folder)), Path(folder), Path(checkpoint) if checkpoint else None)


def run(cfg: Node, folder: Path, checkpoint: Path | None, known: Node | None = None) -> float | None:
    """Build, fit, test and report; return the best value of the monitored metric, which a sweep compares.

    Args:
        cfg: Checked config.
        folder: Folder of the run.
        checkpoint: Checkpoint to resume from; None for a new run.
        known: Card of the checkpoint, if this process cannot read it.
    """
    from imagelab.build import build
    from imagelab.reports.of_run import lines_after_training  # room: reports
    from imagelab.terminal.summary import closing_table, stage_table
    from imagelab.training.attempt import Attempt
    from imagelab.training.results import opening_of

    attempt = Attempt(cfg, folder, checkpoint)
    attempt.report = partial(lines_after_training, cfg)  # room: reports
    with attempt.guarded():
        if screen.speaks():
            screen.keep(attempt.folder / "console.log")
        known = known or call_others(cfg, attempt.folder, checkpoint)
        watchers: list[Any] = []
        watchers += entry.pruning(cfg)  # room: sweep
        with building():
            attempt.parts = parts = build(cfg, attempt.folder, attempt.stop, known, callbacks=watchers)
        if known:
            refuse_changes(known, parts, attempt.folder)
        stages = parts.classifier.stage_rows()
        screen.say(opening_of(cfg, parts, attempt.folder), *([stage_table(stages)] if stages else []))
        for logger in parts.trainer.loggers if checkpoint is None else []:
            logger.log_hyperparams(cfg)
        attempt.fitting = True
        attempt.stop.listen()
        parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=checkpoint)
        results = attempt.close("finished", test_best(attempt))
        screen.say(closing_table(results, attempt.folder, attempt.messages))
        return parts.saver.best.get("value")
    return None


def refuse_changes(known: Node, parts: Any, folder: Path) -> None:
    """Raise a Problem if a run would resume with other data, or with another number of steps."""
    from imagelab.training.feasibility import refuse_other_data
    from imagelab.training.recipe import refuse_other_steps

    refuse_other_data(known, parts.classifier.card, folder)
    refuse_other_steps(known, parts.classifier.step_plan, parts.trainer.world_size)


def call_others(cfg: Node, folder: Path, checkpoint: Path | None) -> Node | None:
    """Let the processes that torchrun or srun started take part in a run; return its checkpoint's card."""
    from imagelab.checkpoints.content import card

    known = card(checkpoint) if checkpoint else None
    group = rank_group()
    if group and group.mine.rank == 0:
        file = str(checkpoint.resolve()) if checkpoint else None
        environment: dict[str, str] = {}
        environment |= entry.environment()  # room: sweep
        group.tell(Order(cfg=cfg, folder=str(folder), checkpoint=file, card=known, environment=environment))
    return known


def test_best(attempt: Any) -> dict[str, float]:
    """Test the best epoch's weights, raw and averaged, in a trainer without tricks; return the metrics.

    A resumed run whose best epoch lies before the stop validates it again, for the report.
    """
    from imagelab.build import build_trainer
    from imagelab.checkpoints.content import module_state
    from imagelab.checkpoints.durable import BEST, read
    from imagelab.evaluation.known_features import keep_known_features
    from imagelab.metrics.names import metric_of
    from imagelab.training.fsdp import load_weights
    from imagelab.training.saver import StopTest

    parts = attempt.parts
    metrics: dict[str, float] = {}
    content = read(parts.saver.folder / BEST) if screen.speaks() else {}
    chosen = list(parts.saver.best["values"])
    states = {weights: module_state(content, weights) for weights in chosen if content}
    states = parts.trainer.strategy.broadcast(states)  # the other machines need not see the folder
    quiet = {"logger": False, "callbacks": [StopTest(attempt.stop)], "enable_checkpointing": False}
    tester = build_trainer(attempt.cfg, attempt.folder, **quiet)
    if not parts.saver.seen_best and parts.classifier.task.predicts:  # room: reports
        better = parts.saver.best["weights"]
        load_weights(parts.classifier, states[better])
        tester.validate(parts.classifier, datamodule=parts.data, verbose=False)
        parts.saver.seen = {metric_of("val", better): parts.classifier.seen.get("val")}
    for weights in chosen if parts.data.has_test else ():
        load_weights(parts.classifier, states[weights])
        tester.test(parts.classifier, datamodule=parts.data, verbose=False)
        metrics |= {metric_of(key, weights): float(v) for key, v in tester.callback_metrics.items()}
    if screen.speaks():
        keep_known_features(parts.saver.folder / BEST, parts.data, parts.trainer.strategy.root_device)
    load_weights(parts.classifier, states[parts.saver.best["weights"]])  # room: reports
    row = {"epoch": parts.trainer.current_epoch} | metrics
    for logger in parts.trainer.loggers if metrics else ():
        logger.log_metrics(row, step=parts.trainer.global_step)
    return metrics


if __name__ == "__main__":
    main()
