"""Which images lie far from all others in brightness, contrast, sharpness, entropy, colour or size?

Source: median absolute deviation, Leys et al. 2013, https://doi.org/10.1016/j.jesp.2013.03.013, taken on each
side of the median separately, since most measures are skewed.
"""

from pathlib import Path

import numpy as np

from imagelab.config.schema import Node
from imagelab.finding import Finding
from imagelab.inspection.answer import Answer
from imagelab.inspection.files import oddities
from imagelab.inspection.measures import MEASURES
from imagelab.inspection.scan import Seen
from imagelab.pages.charts import histogram
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.table import table
from imagelab.runs.csv_cells import Writer

FAR = 6.0  # robust standard deviations
EXTREMES = 4  # images shown at each end of a measure
LISTED = 50  # names per measure
FEWEST = 20  # images: fewer do not show what is usual
# Least value of a standard deviation: if most images are alike, small differences mean nothing.
FLOORS = {
    "brightness": 0.05,
    "contrast": 0.02,
    "darkest": 0.05,
    "brightest": 0.05,
    "sharpness": 2.0,
    "entropy": 0.3,
    "chroma": 0.1,
    "size": 0.5,
    "aspect": 0.2,
}
MORE = {
    "size": "binary logarithm of the number of pixels",
    "aspect": "binary logarithm of width / height",
}


def outliers(seen: Seen, cfg: Node, folder: Path) -> Answer:
    """Find images far from the others; write all measures to images.csv."""
    values = columns(seen)
    far = {name: _far(name, column[seen.readable]) for name, column in values.items()}
    places = np.flatnonzero(seen.readable)
    named = {name: places[found] for name, found in far.items() if found.any()}
    write_images(seen, named, folder / "images.csv")
    return Answer(
        findings=[_finding(seen, named)],
        sections=[_section(seen, values)] if len(places) else [],
        marks={f"outlier in {name}": seen.images.names[found].tolist() for name, found in named.items()},
    )


def columns(seen: Seen) -> dict[str, np.ndarray]:
    """Every measure of every image, (N,) each."""
    width, height = np.maximum(seen.sizes, 1).T.astype(np.float64)
    return seen.measures | {"size": np.log2(width * height), "aspect": np.log2(width / height)}


def _far(name: str, values: np.ndarray) -> np.ndarray:
    """(N,) bool: which values lie far out, on their side of the median."""
    if len(values) < FEWEST:
        return np.zeros(len(values), dtype=bool)
    away = values - np.median(values)
    found = np.zeros(len(values), dtype=bool)
    for side in (away >= 0, away <= 0):
        spread = max(1.4826 * float(np.median(np.abs(away[side]))), FLOORS[name])
        found |= side & (np.abs(away) > FAR * spread)
    return found


def write_images(seen: Seen, named: dict[str, np.ndarray], path: Path) -> None:
    """Write a row per image with its traits and all measures."""
    images = seen.images
    odd = oddities(seen)
    values = columns(seen)
    far: dict[int, list[str]] = {}
    for name, places in named.items():
        for index in places.tolist():
            far.setdefault(index, []).append(name)
    heads = ["file", "split", "label", "format", "width", "height", *MEASURES]
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        writer = Writer(file)
        writer.writerow([*heads, "outlier", "odd", "fault"])
        numbers = np.stack([values[name] for name in MEASURES], axis=1).astype(float).tolist()
        for index, row in enumerate(numbers):
            label = images.label(index)
            rest = (" ".join(far.get(index, [])), "; ".join(odd.get(index, ())), seen.faults.get(index, ""))
            what = (images.names[index], images.splits[index], label, seen.kinds[index], *seen.sizes[index])
            shown = [f"{number:.5g}" for number in row] if index not in seen.faults else [""] * len(row)
            writer.writerow([*what, *shown, *rest])


def _finding(seen: Seen, named: dict[str, np.ndarray]) -> Finding:
    names = seen.images.names
    value = {measure: names[places[:LISTED]].tolist() for measure, places in named.items()}
    count = len(set().union(*(places.tolist() for places in named.values()))) if named else 0
    return Finding(
        name="outliers",
        status="WARN" if named else "OK",
        value=value or "none",
        expected=f"within {FAR:g} robust standard deviations of the median",
        why=f"{count:,} of {len(seen.images):,} images lie far from all others" if named else "",
        fix="look at the extremes on the page: are they screenshots or blank frames?" if named else "",
    )


def _section(seen: Seen, values: dict[str, np.ndarray]) -> Section:
    about = "The images with the lowest and highest values of each measure. " + " ".join(
        f"{name.capitalize()}: {words}." for name, words in (MEASURES | MORE).items()
    )
    images = seen.images
    places = np.flatnonzero(seen.readable)
    rows = []
    for name, column in values.items():
        order = places[np.argsort(column[places], kind="stable")]
        for end, some in (("lowest", order[:EXTREMES]), ("highest", order[-EXTREMES:][::-1])):
            for index in some.tolist() if column[order[0]] < column[order[-1]] else []:
                label = images.label(index)
                picture = Picture(images.pixels(index, 96), "")
                what = [str(images.names[index]), str(images.splits[index]), label]
                rows.append([name, end, float(column[index]), picture, *what])
    heads = ["measure", "end", "value", "picture", "file", "split", "class"]
    charts = [_chart(seen, name) for name in ("brightness", "contrast", "sharpness")]
    shown = table(heads, rows, filters=["measure", "end", "split", "class"], side=64, budget=200_000)
    return Section("Outliers", about, "".join(charts) + shown)


def _chart(seen: Seen, name: str) -> str:
    images = seen.images
    values = {split: seen.measures[name][seen.readable & (images.splits == split)] for split in images.parts}
    return histogram(
        {split: row.tolist() for split, row in values.items() if len(row)},
        title=name,
        x_label=MEASURES[name],
        share=True,
    )
