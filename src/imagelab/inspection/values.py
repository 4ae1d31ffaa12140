"""How are the values of the images distributed, and do the splits have the same range?"""

from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.scan import Seen
from imagelab.pages.charts import histogram
from imagelab.pages.page import Section, row
from imagelab.pages.table import table
from imagelab.problem import some_of

Parts = dict[str, np.ndarray]  # split -> (N,) values

FAR = 6.0  # interquartile ranges beyond the quartiles: three times Tukey's "far out" would be 9
NAMED = 4  # images in a sentence
WIDTH, HEIGHT = 440, 300  # pixels of a chart


def value_distribution(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Describe each value by split; report values far from all others and splits of another range."""
    images = seen.images
    findings = []
    charts = []
    rows = []
    for place, name in enumerate(images.classes):
        parts = {
            split: images.labels[seen.readable & (images.splits == split), place].astype(float)
            for split in images.parts
        }
        parts = {split: values for split, values in parts.items() if len(values)}
        if parts:
            findings += [_summary(name, parts), _far_out(name, seen, place), _same_range(name, parts)]
            series = {split: values.tolist() for split, values in parts.items()}
            charts.append(histogram(series, title=name, x_label=name, share=True, width=WIDTH, height=HEIGHT))
            rows += [[name, split, len(own), *_numbers(own).values()] for split, own in parts.items()]
    heads = ["value", "split", "images", "least", "25%", "median", "75%", "most", "mean", "deviation"]
    about = "Readable images, in the splits that training would use; each split sums to 1."
    sections = [Section("Values", about, row(*charts) + table(heads, rows))] if rows else []
    return Answer(findings=findings, sections=sections)


def far_out(values: np.ndarray) -> np.ndarray:
    """Which values lie far beyond the quartiles, (N,) bool.

    >>> far_out(np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 999])).nonzero()[0].tolist()
    [8]

    Source: Tukey 1977, Exploratory Data Analysis, section 2D, with wider fences.
    """
    low, high = np.percentile(values, [25, 75])
    return (values < low - FAR * (high - low)) | (values > high + FAR * (high - low))


def _numbers(values: np.ndarray) -> dict[str, float]:
    names = ("least", "quartile", "median", "upper_quartile", "most")
    found = dict(zip(names, np.percentile(values, [0, 25, 50, 75, 100]).tolist(), strict=True))
    found |= {"mean": float(values.mean()), "deviation": float(values.std())}
    return {name: float(f"{number:.6g}") for name, number in found.items()}


def _summary(name: str, parts: Parts) -> Finding:
    whole = np.concatenate([*parts.values()])
    return Finding(
        name=f"values of {name}",
        status="INFO",
        value={split: _numbers(values) for split, values in parts.items()},
        expected="",
        why=f"{whole.min():.4g} to {whole.max():.4g}, {len(np.unique(whole)):,} different ones",
        fix="",
    )


def _far_out(name: str, seen: Seen, place: int) -> Finding:
    images = seen.images
    readable = np.flatnonzero(seen.readable)
    values = images.labels[readable, place].astype(float)
    far = readable[far_out(values)]
    worst = far[np.argsort(-np.abs(images.labels[far, place] - np.median(values)), kind="stable")]
    told = [f"{images.names[i]} ({images.labels[i, place]:.4g})" for i in worst.tolist()]
    return Finding(
        name=f"{name} far from all others",
        status=grade(warn=len(far)),
        value=some_of(told, NAMED) if told else "none",
        expected=f"within {FAR:g} interquartile ranges of the quartiles",
        why=f"{len(far):,} of {len(values):,} values lie far out" if told else "",
        fix="correct or drop them if they are wrong; loss=huber or loss=l1 lets outliers pull less"
        if told
        else "",
    )


def _same_range(name: str, parts: Parts) -> Finding:
    train = parts.get("train", np.zeros(0))
    others = {split: values for split, values in parts.items() if split != "train" and len(train)}
    shares = {s: float(((v < train.min()) | (v > train.max())).mean()) for s, v in others.items()}
    beyond = {split: f"{share:.1%}" for split, share in shares.items() if share}
    return Finding(
        name=f"{name} in the range of train",
        status=grade(warn=any(share > 0.01 for share in shares.values()), info=not others),
        value=beyond or "all",
        expected="at most 1% of val and test outside the range of train",
        why="networks seldom extrapolate: such values are drawn into the range of train" if beyond else "",
        fix="mix the images before they are split, or add such images to train" if beyond else "",
    )
