import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from imagelab.build import build_data
from imagelab.config.compose import compose, plain
from imagelab.inspection.command import FOLDER
from imagelab.inspection.features import _overlap, refuse_seen
from imagelab.inspection.suspects import DECISIONS, SUSPECTS, Predicted, _copies, _estimate, label_errors
from imagelab.problem import Problem
from imagelab.runs.files import write_config
from tests.fitting import SHORT, fitted

DIGITS = list("0123456789")


def config_of(words: list[str], labels: bool | str = True) -> dict[str, Any]:
    composed = compose("train", words)
    assert composed.cfg is not None, composed.problems
    return plain(composed.cfg) | {"labels": labels}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def flips(folder: Path) -> tuple[str, set[str]]:
    """A table of decisions that gives 5% of the digits a wrong label, and which images these are."""
    rng = np.random.default_rng(0)
    data = build_data(config_of([]))
    names = [name for part in data.named.values() for name in part.names]
    labels = np.concatenate([part.labels for part in data.splits.values()])
    wrong = rng.permutation(len(names))[: len(names) // 20]
    lines = [f"{names[k]},relabel,{(labels[k] + rng.integers(1, 10)) % 10}" for k in wrong]
    table = folder / "flips.csv"
    table.write_text("\n".join(["file,decision,label", *lines]) + "\n")
    return str(table), {names[k] for k in wrong}


def test_flipped_digits_are_suspects_and_the_edited_table_fixes_them(tmp_path: Path) -> None:
    table, wrong = flips(tmp_path)
    cfg = config_of([f"data.decisions={table}"])
    answer = label_errors(None, cfg, tmp_path)
    suspects = rows(tmp_path / SUSPECTS)
    assert len({row["file"] for row in suspects[: round(0.07 * 1797)]} & wrong) >= 0.95 * len(wrong)
    found = {finding.name: finding for finding in answer.findings}
    assert found["label errors"].status == "WARN"
    assert 0.6 * len(wrong) < found["label errors"].value < 1.4 * len(wrong)
    assert found["labels are predictable"].value > 0.9
    template = rows(tmp_path / DECISIONS)
    assert {row["decision"] for row in template} == {"keep", "relabel"}  # what was decided stays decided
    assert len({row["file"] for row in template}) == len(template) >= len(suspects)
    margins = [float(row["margin"]) for row in suspects]
    assert margins == sorted(margins)
    assert margins[-1] <= 0
    assert suspects[0]["file"] in answer.sections[0].body


def test_the_template_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    label_errors(None, config_of([]), tmp_path)
    plain_data = build_data(config_of([]))
    template = tmp_path / DECISIONS
    same = build_data(config_of([f"data.decisions={template}"]))
    assert all((same.splits[s].labels == plain_data.splits[s].labels).all() for s in plain_data.splits)
    first = rows(template)[0]
    template.write_text(template.read_text().replace("keep", "relabel", 1))
    changed = build_data(config_of([f"data.decisions={template}"]))
    split = first["split"]
    place = changed.named[split].names.index(first["file"])
    assert changed.classes[int(changed.splits[split].labels[place])] == first["label"] != first["given"]


def test_predictions_from_a_file_are_ranked_instead_of_our_own(tmp_path: Path) -> None:
    cfg = config_of([])
    names, labels = (lambda part: (part.names, part.labels))(build_data(cfg).named["train"])
    table = tmp_path / "predictions.csv"
    lines = []
    for place, share in [(0, 0.9), (1, 0.2), (2, 0.4)]:
        other = (labels[place] + 1) % 10
        given = {labels[place]: share, other: 1 - share}
        lines.append(f"{names[place]},{place % 2}," + ",".join(str(given.get(k, 0)) for k in range(10)))
    table.write_text("\n".join(["file,fold," + ",".join(map(str, range(10))), *lines]) + "\n")
    label_errors(None, cfg | {"labels": str(table)}, tmp_path)
    suspects = rows(tmp_path / SUSPECTS)
    assert [(row["file"], float(row["margin"])) for row in suspects] == [(names[1], -0.6), (names[2], -0.2)]
    assert suspects[0]["suggested"] == str((labels[1] + 1) % 10)


def test_copies_that_were_found_share_a_fold(tmp_path: Path) -> None:
    features, names = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4, 4]], list("abcdef")
    table = tmp_path / "duplicates.csv"
    assert len(set(_copies(features, names, table).tolist())) == 5  # the last two are the same
    table.write_text("first_file,second_file,group\na,b,3\nb,c,3\nx,d,4\n")
    groups = _copies(features, names, table).tolist()
    assert groups[0] == groups[1] == groups[2] != groups[3]
    assert groups[4] == groups[5]
    assert len(set(groups)) == 3


def test_weights_that_have_learnt_these_labels_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fitted(SHORT, run)
    write_config(config_of(SHORT), run)
    checkpoint = next((run / "checkpoints").glob("best.ckpt"))
    with pytest.raises(Problem, match="has learnt the labels of these images"):
        refuse_seen(config_of([f"model.weights={checkpoint}"]), DIGITS)
    refuse_seen(config_of([f"model.weights={checkpoint}", "data=mnist"]), DIGITS)
    alone = checkpoint.rename(tmp_path / "taken_elsewhere.ckpt")
    refuse_seen(config_of([f"model.weights={alone}"]), ["cat", "dog"])
    with pytest.raises(Problem, match="has learnt the labels of these images"):
        refuse_seen(config_of([f"model.weights={alone}"]), DIGITS)


def test_the_number_of_errors_is_qualified_if_predictions_are_weak(tmp_path: Path) -> None:
    labels = np.zeros(900, dtype=np.int64)
    certain = np.ones((900, 1))
    predicted = Predicted(names=[], splits=[], labels=labels, probabilities=certain, fold=[], how="")
    weak, clear = (_estimate(predicted, 58, agreed, tmp_path) for agreed in (0.82, 0.93))
    assert (weak.status, clear.status) == ("INFO", "WARN")
    assert "agree with only 82% of labels, so many of these are right" in weak.why


def test_a_folder_is_recognised_with_another_table_and_by_a_part_of_it(tmp_path: Path) -> None:
    folder = {
        "_target_": FOLDER,
        "root": str(tmp_path / "photos"),
        "manifest": None,
        "columns": None,
        "delimiter": "auto",
        "label": "label",
        "on_bad_image": "error",
    }
    assert _overlap(folder, folder | {"manifest": "split.csv", "on_bad_image": "skip"})
    assert _overlap(folder, folder | {"root": str(tmp_path / "photos" / "train")})
    assert not _overlap(folder, folder | {"root": str(tmp_path / "photos2")})
    assert not _overlap(folder, {"_target_": "imagelab.data.digits.Digits"})
    assert not _overlap({"_target_": "imagelab.data.digits.Digits"}, folder)
