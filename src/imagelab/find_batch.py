"""Run the command `find_batch`: find the largest batch that fits the device, and the fastest.

imagelab find_batch model=resnet9 trainer.precision=bf16-mixed
"""

import os
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from imagelab import launch
from imagelab.config import schema
from imagelab.config.facts import says
from imagelab.config.rules.classes import target
from imagelab.config.rules.generators import refuse_generators  # room: generators
from imagelab.config.schema import Node
from imagelab.problem import Problem
from imagelab.runs import files
from imagelab.runs.csv_cells import Writer
from imagelab.terminal import screen

if TYPE_CHECKING:
    from imagelab.finders.batch_search import Found


@dataclass(frozen=True, kw_only=True)
class FindBatch(schema.Run):
    """The root keys of configs/find_batch.yaml."""

    headroom: float
    share: float
    seconds: float
    patience: float


def main() -> None:
    """Find a batch size."""
    launch.run_hydra(start, "find_batch", FindBatch)


def start(cfg: Node, folder: Path) -> None:
    """Write find_batch.json, .html, .csv and .svg into a new folder; show the overrides to paste."""
    refuse_generators(cfg, "find_batch")  # room: generators
    refuse(cfg)
    from imagelab.finders.batch_findings import COLUMNS, findings, picture, rows, summary, terminal_rows
    from imagelab.logger.reporting import loggers_of
    from imagelab.pages.page import Section
    from imagelab.pages.publish import publish
    from imagelab.pages.table import table

    found = search(cfg, folder)
    plot = picture(found)
    text = StringIO()
    Writer(text, lineterminator="\n").writerows([COLUMNS, *rows(found)])
    files.write_text(folder / "find_batch.csv", text.getvalue())
    files.write_text(folder / "find_batch.svg", plot)
    screen.say("", terminal_rows(found))
    about = "Measured on real training steps, one batch size after the other."
    publish(
        folder,
        "find_batch",
        title="Batch size",
        summary=summary(found),
        findings=findings(found, cfg),
        sections=[Section("Speed", about, plot), Section("Sizes tried", "", table(COLUMNS, rows(found)))],
        loggers=loggers_of(cfg, folder),
    )
    screen.say(summary(found).replace("`", ""))


def refuse(cfg: Node) -> None:
    """Raise a Problem if the config leaves no batch size to search for."""
    if cfg["data"]["batch_size"] == "full":
        raise Problem(
            "data.batch_size: full uses all images in one step, so there is no size to find; set a number"
        )
    if says(cfg["optimizer"]).line_search:
        raise Problem(
            f"optimizer: {target(cfg['optimizer'])} needs all images in one step, so there is no batch size "
            "to find; set data.batch_size=full, or another optimizer"
        )
    if cfg["resume"] is not None:
        raise Problem("resume: only works with imagelab train; leave it out")


def search(cfg: Node, folder: Path) -> "Found":
    """Search with the run of a config; return what was found."""
    from imagelab.build import build, build_tricks
    from imagelab.finders.batch_search import BatchSearch, Found
    from imagelab.finders.batch_trial import Trials, alone
    from imagelab.finders.device_memory import meter_of
    from imagelab.training.preserve import preserve_training
    from imagelab.training.stop import StopRequest

    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    cfg, ranks = alone(cfg | {"logger": {}}, folder)
    parts = build(cfg, folder, StopRequest())
    device, cap = parts.trainer.strategy.root_device, parts.data.counts["train"] // ranks
    meter = meter_of(device, cfg["share"])
    with preserve_training(parts.classifier, parts.data):
        trials = Trials(
            cfg=cfg,
            data=parts.data,
            classifier=parts.classifier,
            tricks=[*build_tricks(cfg["trick"], folder=folder, seed=cfg["seed"]).values()],
            folder=folder,
            meter=meter,
            seconds=cfg["seconds"],
        )
        limit = meter.room if meter.enforced else None
        search = BatchSearch(run=trials, cap=cap, limit=limit, patience=cfg["patience"])
        largest = search.largest()
        safe = search.safe(meter.room, cfg["headroom"])
        fastest = search.fastest(safe)
    return Found(
        tried=sorted(search.tried.values()),
        largest=largest,
        safe=safe,
        fastest=fastest,
        cap=cap,
        ranks=ranks,
        window=cfg["trainer"]["accumulate_grad_batches"],
        device=str(device),
        room=meter.room,
    )


if __name__ == "__main__":
    main()
