"""Summarise a run on the screen: its plan before it starts, its results and next steps after it ends."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

SHOWN_CLASSES = 6
SPLITS = ("train", "val", "test")


def opening(
    *,
    labels: str,
    counts: Mapping[str, int],
    model: str,
    parameters: int,
    device: str,
    batch_sizes: Sequence[int],
    epochs: int,
    steps: int,
    lr: float,
    lr_note: str,
    folder: Path,
) -> RenderableType:
    """Describe a run that is about to start, in a few lines.

    Args:
        labels: Names of classes or values, in brief.
        counts: Number of images in each split.
        model: Name of the network.
        parameters: Number of parameters of the network.
        device: Device in words, such as "cpu" or "2 x cuda".
        batch_sizes: Images per optimizer step in each epoch, over all devices and accumulated batches.
        epochs: Passes over the training images.
        steps: Optimizer steps in the whole run.
        lr: Peak learning rate.
        lr_note: How the rate was scaled; empty if it was not.
        folder: The folder of the run.
    """
    splits = ", ".join(f"{split} {counts[split]:,}" for split in SPLITS if split in counts)
    plan = f"{_times(epochs, 'epoch')}, {_times(steps, 'step')} of {_growing(batch_sizes)} images"
    return lines(
        {
            "data": f"{labels}; images: {splits}",
            "model": f"{model}, {parameters:,} parameters",
            "training": f"{plan} on {device}",
            "learning rate": f"{lr:g}" + (f" ({lr_note})" if lr_note else ""),
            "run folder": near(folder),
        }
    )


class StageRow(NamedTuple):
    """A stage: its name, number of parameters, peak rate, and the epoch at which it starts, if any."""

    name: str
    parameters: int
    rate: float
    start: int | None


def stage_table(stages: Sequence[StageRow]) -> RenderableType:
    """Show what trains, how fast and from which epoch; epochs count from 0 in `stages`, from 1 on screen."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for place, title in enumerate(("stage", "parameters", "learning rate", "moves from epoch")):
        table.add_column(title, justify="right" if place else "left", no_wrap=True)
    for name, parameters, rate, start in stages:
        moves = ["0", "never"] if start is None else [f"{rate:.3g}", str(start + 1)]
        table.add_row(name, f"{parameters:,}", *moves)
    return Group(Text(""), table, Text(""))


def closing_table(
    results: dict[str, Any], folder: Path, told: Mapping[str, str] | None = None
) -> RenderableType:
    """Show the outcome of a run and the commands to run next.

    Args:
        results: The content of results.json; its epochs count from 0, the table's from 1.
        folder: The folder of the run.
        told: Lines from the report, by name; None without a report.
    """
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("")
    table.add_column("val", justify="right")
    val, test = results.get("val") or {}, results.get("test") or {}
    if test:
        table.add_column("test", justify="right")
    for name in [*val, *(name for name in test if name not in val)]:
        table.add_row(name, number(val.get(name)), *([number(test.get(name))] if test else []))
    parts: list[RenderableType] = [Text(""), lines(_facts(results, folder)), Text("")]
    if val or test:
        parts += [table, Text("")]
    return Group(*parts, lines({**(told or {}), "run folder": near(folder), **_next(results, folder)}))


def near(path: Path) -> str:
    """A path as one would type it: relative if it is below the current folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path.absolute())


def in_brief(classes: list[str], what: str) -> str:
    """The number of classes or values, and the first names.

    >>> in_brief(["ink", "slant"], "values")
    '2 values (ink, slant)'
    """
    names = ", ".join(classes[:SHOWN_CLASSES]) + (", …" if len(classes) > SHOWN_CLASSES else "")
    return f"{len(classes)} {what} ({names})"


def _facts(results: dict[str, Any], folder: Path) -> dict[str, str]:
    best = results.get("best") or {}
    rows = {"status": str(results["status"])}
    if best.get("epoch") is not None:
        value = f"{best['monitor']} {number(best['value'])}"
        rows["best epoch"] = f"{best['epoch'] + 1} of {results['epochs']} ({value})"
    sets = results.get("by_weights") or {}
    metric = str(best.get("monitor")).removeprefix("val/")
    if sets:
        values = ", ".join(f"{name} {number(sets[name]['val'].get(metric))}" for name in sets)
        rows["weights"] = f"{results['weights']} ({best['monitor']}: {values})"
    if "parameters" in results:
        rows["parameters"] = f"{results['parameters']:,}"
    if "train_seconds" in results:
        rows["trained"] = f"{spent(results['train_seconds'])}, {pace(results['images_per_second'])}"
    checkpoint = folder / "checkpoints" / "best.ckpt"
    if checkpoint.exists():
        rows["checkpoint"] = near(checkpoint)
    return rows


def _next(results: dict[str, Any], folder: Path) -> dict[str, str]:
    if results["status"] != "finished":
        return {"resume": f"imagelab train resume={near(folder)}"}
    if results["generates"]:  # room: generators
        return {"generate": f"imagelab generate run={near(folder)}"}
    if not results["predicts"]:
        return {"use": f"imagelab train model.weights={near(folder)} finetune=linear_probe"}
    return {
        "evaluate": f"imagelab evaluate run={near(folder)}",
        "predict": f"imagelab predict run={near(folder)} source=FILE_OR_FOLDER",
    }


def lines(words: dict[str, str]) -> Text:
    """Names and values in two columns; text, since a table would cut long paths to the terminal's width."""
    width = max(map(len, words))
    lines = [Text.assemble((f"{name:<{width}}", "bold"), f"  {value}") for name, value in words.items()]
    return Text("\n").join(lines)


def _growing(sizes: Sequence[int]) -> str:
    """Join the distinct sizes, in order.

    >>> _growing([128, 128, 640, 1152])
    '128, then 640, then 1,152'
    """
    return ", then ".join(f"{size:,}" for size in dict.fromkeys(sizes))


def number(value: float | None) -> str:
    """Four decimals, or as many digits as a small number needs.

    >>> number(0.99166), number(1.2e-06), number(None)
    ('0.9917', '1.2e-06', '')
    """
    if value is None:
        return ""
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2g}"


def pace(rate: float) -> str:
    """Images per second, with two digits if they are few.

    >>> pace(3456.7), pace(0.0625), pace(0)
    ('3,457 images/s', '0.062 images/s', '0 images/s')
    """
    return f"{rate:,.0f} images/s" if rate >= 10 or rate == 0 else f"{rate:.2g} images/s"


def spent(seconds: float) -> str:
    """Seconds, or hours, minutes and seconds.

    >>> spent(7.12), spent(754.6)
    ('7.1 s', '0:12:35')
    """
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _times(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
