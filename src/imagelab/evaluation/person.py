"""Compare a network with a person who labelled images of a split.

Source: exact McNemar test, Fagerland et al. 2013, https://doi.org/10.1186/1471-2288-13-91, section 2.2.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scipy.stats import binomtest
from torch import Tensor

from imagelab.config.schema import Node
from imagelab.data.labels import kind_of
from imagelab.data.named import Named
from imagelab.evaluation.per_class import wilson
from imagelab.problem import Problem, nearest, some_of
from imagelab.runs import csv_cells

SAID, LABEL = "said", "label"


def labels_by(path: Path, column: str | None, key: str) -> dict[str, str]:
    """The label that a person gave each file, the first one if there are several.

    Args:
        path: CSV file with the column `file`.
        column: Column with the labels; None: `said`, as the labelling page writes it, or else `label`.
        key: Key of the config that names the file.

    Raises:
        Problem: It cannot be read, or has no such columns.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as file:
            columns, rows = csv_cells.read_table(file)
    except (OSError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise Problem(f"{key}={path} cannot be read ({why}): expected a CSV file with labels") from error
    column = column or (SAID if SAID in columns else LABEL)
    if missing := [name for name in ("file", column) if name not in columns]:
        raise Problem(
            f"{key}: {path} has no column {missing[0]!r}: expected file,{column}, got "
            f"{','.join(columns) or '(none)'}{nearest(missing[0], columns)}"
        )
    found: dict[str, str] = {}
    for row in rows:
        if row[column].strip():
            found.setdefault(row["file"].strip(), row[column].strip())
    return found


def beside_person(path: str, images: Named, predictions: Tensor, task: Any) -> Node:
    """The accuracy of a person and of a network on the images that the person labelled.

    Args:
        path: CSV file of the person's labels, as in `labels_by`.
        images: Images of the split.
        predictions: Prediction for each of its N images, (N, K).
        task: Task that defines the predictions.

    Raises:
        Problem: The images have no single class, or the person labelled none of them.
    """
    if kind_of(images.labels) != "class":
        raise Problem("person: only labels of one class per image can be compared; leave it out")
    said = labels_by(Path(path).expanduser(), None, "person")
    if unknown := sorted(set(said.values()) - set(task.names)):
        raise Problem(f"person: {path} has labels that are not classes: {some_of(unknown, most=5)}")
    decided = task.decisions(predictions).tolist()
    known = {
        name: (task.wording(label), task.wording(decision))
        for name, label, decision in zip(images.names, images.labels.tolist(), decided, strict=True)
    }
    both = [name for name in said if name in known]
    if not both:
        one = some_of(list(said), most=1) or "nothing"
        raise Problem(f"person: {path} labels no image of this split, but {one}; set split=..., or root=...")
    person = [said[name] == known[name][0] for name in both]
    model = [known[name][1] == known[name][0] for name in both]
    return {"file": path, "images": len(both)} | compare(person, model)


def compare(person: Sequence[bool], model: Sequence[bool]) -> Node:
    """Both accuracies on the same images with intervals, and whether they differ beyond chance.

    >>> found = compare([True] * 8 + [False] * 2, [True] * 9 + [False])
    >>> found["person"]["accuracy"], found["model"]["accuracy"], found["only_model"], found["p"]
    (0.8, 0.9, 1, 1.0)
    """
    only_person = sum(a and not b for a, b in zip(person, model, strict=True))
    only_model = sum(b and not a for a, b in zip(person, model, strict=True))
    differ = only_person + only_model
    p = float(binomtest(only_person, differ).pvalue) if differ else 1.0
    return {
        "person": _accuracy(person),
        "model": _accuracy(model),
        "only_person": only_person,
        "only_model": only_model,
        "p": p,
    }


def sentence(found: Mapping[str, Any]) -> str:
    """What the comparison says, in a sentence.

    >>> print(sentence({"images": 99, "only_person": 1, "only_model": 9, "p": 0.0215}))
    Of 99 images, the person alone is right on 1, the model alone on 9: the model is better (p = 0.021).
    """
    clear = found["p"] < 0.05
    better = "person" if found["only_person"] > found["only_model"] else "model"
    verdict = f"the {better} is better" if clear else "no difference beyond chance"
    return (
        f"Of {found['images']:,} images, the person alone is right on {found['only_person']:,}, the model "
        f"alone on {found['only_model']:,}: {verdict} (p = {found['p']:.2g})."
    )


def _accuracy(right: Sequence[bool]) -> Node:
    low, high = wilson(sum(right), len(right))
    return {"accuracy": sum(right) / len(right), "interval": [low, high]}
