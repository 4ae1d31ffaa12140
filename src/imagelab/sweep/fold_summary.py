"""Summarise a cross-validation: mean and standard deviation over folds, and all out-of-fold predictions."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev

from rich.console import RenderableType
from rich.text import Text

from imagelab import finding
from imagelab.config.monitor import metrics_of
from imagelab.evaluation.per_class import wilson
from imagelab.finding import Finding
from imagelab.metrics.table import Metric
from imagelab.runs import files
from imagelab.runs.csv_cells import Writer
from imagelab.sweep.out_of_fold import pooled, predict_fold, table
from imagelab.sweep.trial import Row
from imagelab.terminal.summary import lines, near, number

FINDINGS, TABLE = "kfold.json", "kfold.csv"
ENDS = ("low", "high")
Values = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Combination:
    """A configuration and the results of its folds.

    Args:
        values: Values that set it apart from the others, by key.
        folds: Planned number of folds.
        metrics: Metrics by name, of val and, if tested, of test; one value per finished fold.
        images: Number of images with an out-of-fold prediction.
        judged_by: Row of the metric that judges the runs.
        pooled: That metric of all these images, each predicted by the run that held it out.
        file: File with the predictions; empty until all folds are finished.
    """

    values: Values
    folds: int
    metrics: Mapping[str, list[float]]
    images: int
    judged_by: Metric
    pooled: float
    file: str

    @property
    def name(self) -> str:
        """Its values as typed on the command line."""
        return " ".join(f"{key}={value}" for key, value in self.values)

    @property
    def interval(self) -> dict[str, float]:
        """The ends of the 95% Wilson interval of `pooled`; empty if it does not count images."""
        if not self.judged_by.counts_images:
            return {}
        return dict(zip(ENDS, wilson(round(self.pooled * self.images), self.images), strict=True))


def summary(
    folder: Path, combinations: Mapping[Values, Sequence[Row]], folds: int, checkpoint: str
) -> list[RenderableType]:
    """Write the predictions, kfold.json and kfold.csv; return a summary for the screen.

    Args:
        folder: Folder of the sweep.
        combinations: Finished runs, by the values of their configuration.
        folds: Number of folds of each configuration.
        checkpoint: best or last.

    Raises:
        Problem: If a checkpoint or its images no longer exist.
    """
    found = [
        _combination(folder, place if len(combinations) > 1 else None, values, rows, folds, checkpoint)
        for place, (values, rows) in enumerate(combinations.items())
    ]
    told = [one for each in found for one in findings(each, checkpoint)]
    files.write_json(folder / FINDINGS, finding.plain(told))
    files.write_text(folder / TABLE, as_table(found))
    if len(found) == 1:
        return [_shown(found[0], folder)]
    sign = 1 if found[0].judged_by.better == "lower" else -1
    best_first = sorted(found, key=lambda one: sign * one.pooled)
    return [lines({one.name: _in_short(one, folder) for one in best_first}) + Text("\n")]


def findings(one: Combination, checkpoint: str) -> list[Finding]:
    """The findings about one configuration."""
    before = f"{one.name}: " if one.values else ""
    count = _count(one)
    made = [
        Finding(
            name=f"{before}{name}",
            status="INFO",
            value={"mean": fmean(values), "sd": stdev(values) if count > 1 else None, "folds": values},
            expected="",
            why=f"Mean and standard deviation over {len(values)} folds, {checkpoint} epoch of each run.",
            fix="",
        )
        for name, values in one.metrics.items()
    ]
    chosen = (
        " The best epoch was selected on the same images, which is slightly optimistic."
        if checkpoint == "best"
        else ""
    )
    name = one.judged_by.name
    hits = f"{round(one.pooled * one.images):,} of {one.images:,} images, each predicted"
    whole = f"Of all {one.images:,} images, each predicted"
    together = Finding(
        name=f"{before}out-of-fold {name}",
        status="INFO",
        value={name: one.pooled} | one.interval | {"images": one.images},
        expected="",
        why=f"{hits if one.interval else whole} by the run that held it out"
        f"{'; 95% Wilson interval' if one.interval else ''}.{chosen}",
        fix="",
    )
    return [*made, together, _complete(one, before)]


def as_table(found: Sequence[Combination]) -> str:
    """The content of kfold.csv: one row per configuration."""
    keys = [key for key, _ in found[0].values] if found else []
    names = list(found[0].metrics) if found else []
    out = io.StringIO()
    writer = Writer(out, lineterminator="\n")
    sums = [f"{name} {what}" for name in names for what in ("mean", "sd")]
    writer.writerow([*keys, "folds", *sums, "out_of_fold", *ENDS, "images", "file"])
    for one in found:
        cells: list[float | str] = []
        for name in names:
            values = one.metrics[name]
            cells += [fmean(values), stdev(values) if len(values) > 1 else ""]
        ends = [one.interval.get(end, "") for end in ENDS]
        done = len(one.metrics[names[0]])
        writer.writerow([*(v for _, v in one.values), done, *cells, one.pooled, *ends, one.images, one.file])
    return out.getvalue()


def _combination(
    folder: Path, place: int | None, values: Values, rows: Sequence[Row], folds: int, checkpoint: str
) -> Combination:
    held = [predict_fold(row.folder, checkpoint) for row in rows]
    file = f"out_of_fold{'' if place is None else f'_{place}'}.csv"
    (folder / file).unlink(missing_ok=True)
    if len(held) == folds:
        files.write_text(folder / file, table(held))
    judged_by = metrics_of(files.read_config(rows[0].folder))[0]
    tested = [name for name in rows[0].test if all(row.test.get(name) is not None for row in rows)]
    tested = tested if checkpoint == "best" else []  # runs test the best epoch
    metrics = {f"val/{name}": [one.metrics[name] for one in held] for name in held[0].metrics}
    metrics |= {name: [float(row.test[name] or 0.0) for row in rows] for name in tested}
    return Combination(
        values=values,
        folds=folds,
        metrics=metrics,
        images=sum(len(one.names) for one in held),
        judged_by=judged_by,
        pooled=pooled(held, judged_by.name),
        file=file if len(held) == folds else "",
    )


def _complete(one: Combination, before: str) -> Finding:
    count = _count(one)
    whole = count == one.folds
    return Finding(
        name=f"{before}predictions",
        status="OK" if whole else "WARN",
        value=one.file if whole else f"{count} of {one.folds} folds",
        expected=f"{one.folds} folds",
        why="Each image is predicted once, by the run that held it out."
        if whole
        else "Some images have no prediction yet.",
        fix="" if whole else "Resume the sweep: `imagelab train resume=FOLDER`.",
    )


def _shown(one: Combination, folder: Path) -> Text:
    told = {"folds": f"{_count(one)} of {one.folds}"}
    for name, values in one.metrics.items():
        told[name] = f"{_spread(values)}  ({', '.join(map(number, values))})"
    return lines(told | {f"out-of-fold {one.judged_by.name}": _pooled(one, folder)}) + Text("\n")


def _in_short(one: Combination, folder: Path) -> str:
    missing = "" if one.file else f", {_count(one)} of {one.folds} folds"
    name = f"val/{one.judged_by.name}"
    return f"{name} {_spread(one.metrics[name])}, out-of-fold {_pooled(one, folder)}{missing}"


def _pooled(one: Combination, folder: Path) -> str:
    where = f": {near(folder / one.file)}" if one.file else ""
    interval = ", 95% interval {low:.4f} to {high:.4f}".format(**one.interval) if one.interval else ""
    return f"{number(one.pooled)} of {one.images:,} images{interval}{where}"


def _spread(values: Sequence[float]) -> str:
    return number(fmean(values)) + (f" ± {number(stdev(values))}" if len(values) > 1 else "")


def _count(one: Combination) -> int:
    return len(next(iter(one.metrics.values())))
