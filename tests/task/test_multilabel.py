"""Several classes per image: thresholds, metrics, mixing; one network through the commands."""

import csv
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score
from torch import nn

import imagelab
from imagelab.build import build_data
from imagelab.checkpoints.durable import read
from imagelab.config.compose import compose
from imagelab.config.make import make
from imagelab.config.validate import problems
from imagelab.metrics.tags import average_precision, best_thresholds
from imagelab.model.head import last_layer
from imagelab.randomness import stream
from imagelab.runs.files import read_config
from imagelab.task.multilabel import Multilabel
from tests import in_process
from tests.fitting import SHORT, built

WORDS = [*SHORT, "task=multilabel", "loss=bce", "data=digits_facts"]
RNG = np.random.default_rng(0)
LABELS = RNG.random((300, 4)) < [0.5, 0.2, 0.05, 0.01]
SCORES = np.round(RNG.normal(LABELS * 1.5, 1), 1)  # rounded, so that there are ties


def test_average_precision_is_that_of_scikit_learn_with_ties():
    found = average_precision(torch.from_numpy(SCORES).float(), torch.from_numpy(LABELS))
    theirs = [average_precision_score(LABELS[:, k], SCORES[:, k].astype(np.float32)) for k in range(4)]
    assert found.tolist() == pytest.approx(theirs, abs=1e-6)
    task = Multilabel(loss=nn.BCEWithLogitsLoss(), classes=list("abcd"))
    metrics = task.metrics(torch.from_numpy(SCORES).float(), torch.from_numpy(LABELS))
    assert float(metrics["ap_macro"]) == pytest.approx(np.mean(theirs), abs=1e-6)


def test_a_class_without_images_counts_in_no_mean():
    labels = np.c_[LABELS, np.zeros(300, dtype=bool)]
    scores = torch.from_numpy(np.c_[SCORES, SCORES[:, 0]]).float()
    task = Multilabel(loss=nn.BCEWithLogitsLoss(), classes=list("abcde"))
    found = task.metrics(scores, torch.from_numpy(labels))
    four = Multilabel(loss=nn.BCEWithLogitsLoss(), classes=list("abcd"))
    wanted = four.metrics(scores[:, :4], torch.from_numpy(LABELS))
    assert found["ap_macro"] == wanted["ap_macro"]
    assert found["f1_macro"] == wanted["f1_macro"]
    task.fit(scores, torch.from_numpy(labels))
    assert task.thresholds[4] == 0.5


def test_no_threshold_has_a_higher_f1_than_the_fitted_one():
    probabilities = torch.from_numpy(SCORES).float().sigmoid()
    found = best_thresholds(probabilities, torch.from_numpy(LABELS)).numpy()
    for k, threshold in enumerate(found):
        own = probabilities[:, k].numpy()
        best = max(f1_score(LABELS[:, k], own >= other) for other in np.unique(own))
        assert f1_score(LABELS[:, k], own >= threshold) == pytest.approx(best)


def test_f1_and_subset_accuracy_are_taken_at_the_fitted_thresholds():
    task = Multilabel(loss=nn.BCEWithLogitsLoss(), classes=list("abcd"))
    scores, labels = torch.from_numpy(SCORES).float(), torch.from_numpy(LABELS)
    before = task.metrics(scores, labels)
    task.fit(scores, labels)
    after = task.metrics(scores, labels)
    decided = task.decisions(task.predictions(scores)).numpy()
    assert float(after["f1_macro"]) == pytest.approx(f1_score(LABELS, decided, average="macro"), abs=1e-6)
    assert float(after["subset_accuracy"]) == pytest.approx((decided == LABELS).all(axis=1).mean())
    assert after["f1_macro"] > before["f1_macro"]
    assert after["ap_macro"] == before["ap_macro"]


@pytest.mark.parametrize("name", ["mixup", "cutmix", "copy_paste"])
def test_mixed_images_have_the_shares_of_their_classes(name):
    cfg = compose("train", [f"augment=[{name}]"]).cfg
    assert cfg is not None
    labels = torch.eye(8, dtype=torch.bool) | torch.eye(8, dtype=torch.bool).flip(0)
    targets = Multilabel.targets(labels, classes=8, mixed=True)
    images = targets[:, :, None, None].expand(8, 8, 16, 16)  # channel k is bright where class k is
    mixed, shares = make(cfg["augment"][name] | {"p": 1.0}).mix(images, targets, stream(0, "test"))
    assert ((shares > 0) & (shares < 1)).any()
    torch.testing.assert_close(mixed.mean(dim=(2, 3)), shares)


def test_smoothing_moves_each_answer_by_half_of_it():
    cfg = compose("train", ["loss=bce", "loss.label_smoothing=0.2"]).cfg
    assert cfg is not None
    loss = make(cfg["loss"], classes=["a", "b"], labels=LABELS[:, :2])
    logits, labels = torch.tensor([[2.0, -1.0]]), torch.tensor([[1.0, 0.0]])
    wanted = nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([[0.9, 0.1]]))
    torch.testing.assert_close(loss(logits, labels), wanted)


def test_the_head_bias_starts_at_the_share_of_each_class(tmp_path):
    parts = built([*WORDS, "trick=[head_bias]"], tmp_path)
    parts.trainer.strategy.connect(parts.classifier)
    make_bias = next(one for one in parts.trainer.callbacks if type(one).__name__ == "HeadBias")
    make_bias.prepare(parts.classifier, parts.data)
    bias = last_layer(parts.classifier.net)[1].bias
    shares = parts.data.splits["train"].labels.mean(axis=0)
    np.testing.assert_allclose(bias.detach().sigmoid(), shares, rtol=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=multilabel", "loss=focal"], "task=multilabel predicts tags; set loss=bce"),
        (
            ["task=multilabel", "loss=bce", "trick=[prediction_dynamics]"],
            "needs a task that predicts classes",
        ),
    ],
)
def test_what_does_not_fit_several_classes_is_refused_before_the_run(words, said):
    cfg = compose("train", words).cfg
    assert cfg is not None
    assert said in "\n".join(problems(cfg))


@pytest.fixture(scope="module")
def folds(tmp_path_factory):
    """A cross-validation with averaged weights, which have thresholds of their own."""
    folder = tmp_path_factory.mktemp("tags")
    words = ["sweep=kfold", "data.folds=2", *WORDS, "trainer.max_epochs=4", "data.limit=600", "trick=[ema]"]
    said = in_process.imagelab("train", "-m", *words, f"hydra.sweep.dir={folder}", folder=folder)
    assert said.status == 0, said
    return folder


def test_each_fold_has_the_same_share_of_each_class(folds):
    shares = [
        build_data(read_config(folds / str(fold))).splits["val"].labels.mean(axis=0) for fold in range(2)
    ]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.01)


def test_all_folds_together_have_the_precision_of_their_predictions(folds):  # room: sweep
    with (folds / "out_of_fold.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    names = ["even", "above_four", "prime", "loop"]
    true = np.array([[name in row["label"].split("|") for name in names] for row in rows])
    predicted = np.array([[float(row[name]) for name in names] for row in rows])
    found = {one["name"]: one["value"] for one in json.loads((folds / "kfold.json").read_text())}
    wanted = average_precision_score(true, predicted, average="macro")
    assert found["out-of-fold ap_macro"]["ap_macro"] == pytest.approx(wanted, abs=1e-3)


def test_every_set_of_weights_keeps_its_own_thresholds(folds):
    content = read(folds / "0" / "checkpoints" / "best.ckpt")
    raw, ema = (content["fitted"][name]["task.thresholds"] for name in ("raw", "ema"))
    assert not torch.equal(raw, ema)
    assert torch.equal(
        imagelab.load(folds / "0").task.thresholds, content["fitted"][content["weights"]]["task.thresholds"]
    )


def test_evaluate_has_the_metrics_of_the_run_at_the_same_thresholds(folds, tmp_path):
    run = folds / "0"
    words = [f"run={run}", "predictions=true", f"output={tmp_path}"]
    assert in_process.imagelab("evaluate", *words, folder=tmp_path).status == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())["metrics"]
    results = json.loads((run / "results.json").read_text())
    assert found == pytest.approx(results["test"], abs=1e-6)
    assert results["best"]["monitor"] == "val/ap_macro"
    with (tmp_path / "evaluation.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert np.mean([row["given"] == row["predicted"] for row in rows]) == pytest.approx(
        found["subset_accuracy"]
    )


def test_members_are_averaged_and_their_sets_of_classes_compared(folds, tmp_path):
    words = [f"run=[{folds / '0'},{folds / '1'}]", "tta=flip", f"output={tmp_path}"]
    assert in_process.imagelab("evaluate", *words, folder=tmp_path).status == 0
    found = json.loads((tmp_path / "evaluation.json").read_text())
    assert found["metrics"]["ap_macro"] > 0.7
    assert 0 < found["disagreement"]["share"] < 1


def test_an_exported_file_predicts_with_the_thresholds_of_the_run(folds, tmp_path):  # room: exporting
    file = tmp_path / "net.safetensors"
    words = [f"run={folds / '0'}", "format=safetensors", f"output={file}"]
    assert in_process.imagelab("export", *words, folder=tmp_path).status == 0
    loaded, own = imagelab.load(file), imagelab.load(folds / "0")
    assert torch.equal(loaded.task.thresholds, own.task.thresholds)
    images = build_data(read_config(folds / "0")).splits["test"].images[:20]
    assert [loaded.task.summary(one) for one in loaded(images)] == [
        own.task.summary(one) for one in own(images)
    ]


def test_the_report_has_the_precision_and_the_threshold_of_each_class(folds):  # room: reports
    run = folds / "0"
    found = {one["name"]: one["value"] for one in json.loads((run / "report.json").read_text())}
    results = json.loads((run / "results.json").read_text())
    assert found["subset accuracy on val"] == pytest.approx(results["val"]["subset_accuracy"], abs=1e-3)
    page = (run / "report.html").read_text()
    for part in ("Which classes go together", "Top losses", "Given together"):
        assert part in page
    with (run / "val_predictions.csv").open() as lines:
        losses = [float(row["loss"]) for row in csv.DictReader(lines)]
    assert losses == sorted(losses, reverse=True)
