"""The probabilities of the same images, as evaluation would give them, step by step."""

import csv

import numpy as np
import pytest
import torch

from imagelab.task.classify import Classify
from imagelab.trick.prediction_dynamics import PredictionDynamics, entries, picture, read, rewind, summary
from tests.trick.watching import trick_of, watched

WORDS = ["trick=[prediction_dynamics]", "trick.prediction_dynamics.every=2", "augment=[flip]"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dynamics")
    words = [*WORDS, "trick.prediction_dynamics.images=20", "trainer.max_epochs=4"]
    return watched([*words, "model.dropout=0.5"], folder), folder


def test_the_last_rows_of_the_table_equal_an_evaluation(run):
    parts, folder = run
    rows = list(read(folder / "prediction_dynamics.csv"))
    assert sorted({int(row[0]) for row in rows}) == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    places = np.array(sorted({int(row[1]) for row in rows}))
    val = parts.data.splits["val"]
    share = np.bincount(val.labels) * 20 / len(val)
    assert np.abs(np.bincount(val.labels[places]) - share).max() < 1  # each class in proportion
    net = parts.classifier.eval()
    with torch.no_grad():
        wanted = net(parts.data.preprocess(val.images[places])).softmax(dim=1)
    found = {(int(row[1]), int(row[3])): float(row[4]) for row in rows if row[0] == "16"}
    for place, row in zip(places.tolist(), wanted.tolist(), strict=True):
        for one, probability in enumerate(row):
            assert found.get((place, one), 0.0) == pytest.approx(probability, abs=0.0101)
        assert found[place, int(val.labels[place])] == pytest.approx(row[val.labels[place]], abs=6e-5)


def test_the_metrics_follow_from_the_table(run):
    parts, folder = run
    rows = [row for row in csv.DictReader((folder / "metrics.csv").open()) if row["prediction/probability"]]
    table = list(read(folder / "prediction_dynamics.csv"))
    for row in rows:
        true = [float(cells[4]) for cells in table if cells[0] == row["step"] and cells[2] == cells[3]]
        assert float(row["prediction/probability"]) == pytest.approx(np.mean(true), abs=1e-4)
    assert rows[0]["prediction/changed"] == ""
    assert float(rows[0]["prediction/entropy"]) == pytest.approx(np.log(10), abs=0.1)
    assert float(rows[-1]["prediction/probability"]) > 1.3 * float(rows[0]["prediction/probability"])
    assert len(trick_of(parts, PredictionDynamics).last) == 20


def test_the_metrics_equal_those_computed_by_hand():
    probabilities = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    task = Classify(loss=torch.nn.CrossEntropyLoss(), classes=["a", "b", "c"])
    found = task.decisions(probabilities).tolist()
    metrics = summary(probabilities, found, torch.tensor([0, 1]), [1, 2])
    assert found == [0, 2]
    assert metrics["prediction/probability"] == 0.25
    assert metrics["prediction/entropy"] == pytest.approx(np.log(2) / 2)
    assert metrics["prediction/changed"] == 0.5


def test_with_many_classes_the_table_omits_tiny_probabilities(tmp_path):
    probabilities = torch.full((1, 1000), 0.0004)
    probabilities[0, 7] = 0.6
    classes = [f"class, {i}" for i in range(1000)]
    rows = list(entries(3, np.array([5]), torch.tensor([2]), probabilities, classes))
    assert rows == [(3, 5, "class, 2", "class, 2", "0.0004"), (3, 5, "class, 2", "class, 7", "0.6000")]


def test_rows_after_the_checkpoint_are_dropped_on_resume(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("step,image,label,class,probability\n0,1,a,a,0.1\n20,1,a,a,0.2\n40,1,a,a,0.3\n60,1,")
    rewind(path, 20)
    assert path.read_text().splitlines()[1:] == ["0,1,a,a,0.1", "20,1,a,a,0.2"]


def test_the_picture_has_one_row_per_image_darker_for_higher_probability():
    rows = [["0", "4", "<bee>", "<bee>", "0.10"], ["20", "4", "<bee>", "<bee>", "0.90"]]
    text = picture([*rows, ["0", "2", "ant", "ant", "0.5"], ["20", "2", "ant", "ant", "0.5"]])
    assert text.count("<rect x") == 3  # the second does not change
    assert text.index("&lt;bee&gt; (val 4)") < text.index("ant (val 2)")
    assert 'fill-opacity="0.1"' in text
    assert 'fill-opacity="0.9"' in text
