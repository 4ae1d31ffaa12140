"""Which labels are likely wrong? Rank images by held-out predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagelab.build import build_data
from imagelab.config.schema import Node
from imagelab.contracts import Images, Photos
from imagelab.data.arrays import Arrays
from imagelab.data.decisions import KEEP, read_decisions
from imagelab.data.image_data import ImageData
from imagelab.data.labels import refuse_all_but_classes
from imagelab.finding import Finding, grade
from imagelab.inspection.answer import Answer
from imagelab.inspection.features import features_of
from imagelab.inspection.given_predictions import given_predictions
from imagelab.inspection.held_out import FOLDS, held_out
from imagelab.inspection.label_errors import confident_errors, margins, suggestions
from imagelab.pages.page import Section
from imagelab.pages.picture import Picture
from imagelab.pages.table import table
from imagelab.runs.csv_cells import read_rows, write_rows
from imagelab.terminal.summary import near

SUSPECTS, DECISIONS = "suspects.csv", "decisions.csv"
SHOWN = 200  # suspects with a picture on the page
SIDE = 96  # pixels
BUDGET = 250_000  # bytes for these pictures on the page
BLIND = 0.1  # least gain over always naming the most frequent class, as a share of what is left
CLEAR = 0.9  # share of labels that predictions must agree with to make the number of errors meaningful


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Held-out predictions for N images.

    Args:
        names: Names of the images.
        splits: Split of each image.
        labels: (N,) int64, the given labels.
        probabilities: (N, K) predictions.
        fold: Fold that each image was held out of, N.
        how: Description of how the predictions were made.
    """

    names: list[str]
    splits: list[str]
    labels: np.ndarray
    probabilities: np.ndarray
    fold: Sequence[Any]
    how: str


def label_errors(seen: Any, cfg: Node, folder: Path) -> Answer:
    """Rank suspect labels: findings, a table with pictures, suspects.csv, and decisions.csv to edit.

    Raises:
        Problem: The predictor has seen the images.
    """
    data = readable_data(cfg)
    refuse_all_but_classes(data.splits["train"].labels, "labels")
    predicted = _predict(cfg, data, folder)
    margin = margins(predicted.probabilities, predicted.labels)
    order = np.argsort(margin, kind="stable")
    order = order[margin[order] < 0]
    sure = confident_errors(predicted.probabilities, predicted.labels)
    rows = _rows(predicted, order, data.classes, margin, sure)
    _write(folder / SUSPECTS, rows)
    _write(folder / DECISIONS, _template(rows, cfg["data"]["decisions"], data.classes))
    agreed = float((predicted.probabilities.argmax(axis=1) == predicted.labels).mean())
    findings = [
        _predictability(predicted, agreed, len(data.classes)),
        _estimate(predicted, int(sure.sum()), agreed, folder),
    ]
    return Answer(
        findings=findings,
        sections=[_section(rows, _pictures(data, predicted, order), len(order))],
        marks={"label is suspect": [row["file"] for row in rows]} if rows else {},
    )


def readable_data(cfg: Node) -> ImageData:
    """The readable images of a config's data set, for any batch size."""
    data = cfg["data"] | {"batch_size": "full", "extra": None}
    return build_data(cfg | {"data": data | ({"on_bad_image": "skip"} if "on_bad_image" in data else {})})


def pixels(images: Images, place: int, least: int) -> np.ndarray:
    """One original image, (H, W, 3) uint8; `least`: the smallest short side needed, in pixels."""
    if isinstance(images, Arrays):
        shown = images.images[place].permute(1, 2, 0).numpy()
        return np.ascontiguousarray(np.repeat(shown, 3 // shown.shape[2], axis=2))
    assert isinstance(images, Photos)
    return images.photo(place, least)


def _predict(cfg: Node, data: ImageData, folder: Path) -> Predicted:
    names = [name for part in data.named.values() for name in part.names]
    splits = [split for split, count in data.counts.items() for _ in range(count)]
    labels = np.concatenate([part.labels for part in data.splits.values()])
    if isinstance(cfg["labels"], str):
        given = given_predictions(cfg["labels"], names=names, splits=splits, classes=data.classes)
        places = given.places.tolist()
        names, splits = [names[k] for k in places], [splits[k] for k in places]
        labels = labels[given.places]
        probabilities = given.probabilities
        fold = given.fold
        how = f"the predictions of {cfg['labels']}"
    else:
        features, what = features_of(cfg, data)
        groups = _copies(features, names, folder / "duplicates.csv")
        found = held_out(features, labels, classes=len(data.classes), groups=groups, seed=cfg["seed"])
        probabilities = found.probabilities
        fold = found.fold.tolist()
        how = f"logistic regression in {FOLDS} folds on {what}"
    return Predicted(
        names=names, splits=splits, labels=labels, probabilities=probabilities, fold=fold, how=how
    )


def _copies(features: np.ndarray, names: Sequence[str], found: Path) -> np.ndarray:
    """(N,) int64, equal for images with equal features and for copies in duplicates.csv."""
    groups = np.unique([hash(row.tobytes()) for row in features], return_inverse=True)[1].astype(np.int64)
    if found.is_file():
        place = {name: k for k, name in enumerate(names)}
        with found.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            for pair in read_rows(file):
                for name in {pair["first_file"], pair["second_file"]} & place.keys():
                    groups[place[name]] = len(names) + int(pair["group"])
    return groups


def _rows(
    predicted: Predicted, order: np.ndarray, classes: Sequence[str], margin: np.ndarray, sure: np.ndarray
) -> list[Node]:
    other = suggestions(predicted.probabilities, predicted.labels)
    return [
        {
            "file": predicted.names[k],
            "split": predicted.splits[k],
            "given": classes[int(predicted.labels[k])],
            "suggested": classes[int(other[k])],
            "margin": round(float(margin[k]), 4),
            "probability_given": round(float(predicted.probabilities[k, predicted.labels[k]]), 4),
            "probability_suggested": round(float(predicted.probabilities[k, other[k]]), 4),
            "confident": bool(sure[k]),
            "fold": predicted.fold[k],
        }
        for k in order.tolist()
    ]


def _template(rows: Sequence[Node], before: str | None, classes: list[str]) -> list[Node]:
    """A row per suspect, for the user to edit; earlier decisions are kept."""
    known = {one.file: one for one in read_decisions(Path(before).expanduser(), classes)} if before else {}
    old = [{"file": one.file, "decision": one.decision, "label": one.label} for one in known.values()]
    new = [row for row in rows if row["file"] not in known]
    more = ("given", "split", "margin")
    return [{**one, **dict.fromkeys(more, "")} for one in old] + [
        {"file": row["file"], "decision": KEEP, "label": row["suggested"], **{key: row[key] for key in more}}
        for row in new
    ]


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file:
        write_rows(file, list(rows[0]) if rows else ["file", "decision", "label"], rows)


def _pictures(data: ImageData, predicted: Predicted, order: np.ndarray) -> list[Picture]:
    place = {name: (part, k) for part in data.named.values() for k, name in enumerate(part.names)}
    shown = (predicted.names[k] for k in order[:SHOWN].tolist())
    return [Picture(pixels(place[name][0].images, place[name][1], SIDE), "") for name in shown]


def _predictability(predicted: Predicted, agreed: float, classes: int) -> Finding:
    most = np.bincount(predicted.labels, minlength=classes).max() / len(predicted.labels)
    blind = agreed < most + BLIND * (1 - most)
    return Finding(
        name="labels are predictable",
        status="WARN" if blind else "INFO",
        value=round(agreed, 4),
        expected=f"more than {most:.3f}, the share of the most frequent class",
        why=f"share of {len(predicted.labels):,} labels that {predicted.how} predicts for held-out images",
        fix="the ranking of label errors says little: try model=timm, or model.weights=RUN on other images"
        if blind
        else "",
    )


def _estimate(predicted: Predicted, count: int, agreed: float, folder: Path) -> Finding:
    share = count / len(predicted.labels)
    vague = agreed < CLEAR
    path = near(folder / DECISIONS)
    doubt = (
        f"; predictions agree with only {agreed:.0%} of labels, so many of these are right" if vague else ""
    )
    return Finding(
        name="label errors",
        status=grade(warn=count and not vague, info=count),
        value=count,
        expected="none",
        why=f"{count:,} of {len(predicted.labels):,} labels ({share:.1%}) are likely wrong, by confident "
        f"learning{doubt}",
        fix=f"look at the suspects, edit {path}, then train with data.decisions={path}" if count else "",
    )


def _section(rows: Sequence[Node], pictures: Sequence[Picture], count: int) -> Section:
    columns = ["image", "file", "split", "given", "suggested", "margin", "confident"]
    cells = [
        [picture, *(row[name] for name in columns[1:-1]), "yes" if row["confident"] else "no"]
        for row, picture in zip(rows, pictures, strict=False)
    ]
    about = (
        "Images whose label is less likely than another one by held-out predictions, most suspect first "
        "(margin: the probability of the given label minus that of the suggested one). "
        f"`{DECISIONS}` has a row for each: replace `keep` with `drop` or `relabel`, then train with "
        "`data.decisions=FILE`."
    )
    body = table(
        columns, cells, filters=["split", "given", "suggested", "confident"], of=count, budget=BUDGET
    )
    return Section("Likely label errors", about, body)
