"""A task says which labels it takes; a data set with values or several classes goes through the data path."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from imagelab.contracts import Images, Inputs
from imagelab.data.arrays import Arrays
from imagelab.data.labels import kind_of
from imagelab.problem import Problem
from tests.fitting import SHORT, built, fitted
from tests.in_process import imagelab

HERE = "tests.data.test_labels"
SPOTS = [f"data._target_={HERE}.Spots"]
POINT = [f"task._target_={HERE}.Point"]


class Spots:
    """Black images with one white pixel; its place, (x, y) in [0, 1], is what is to be found.

    Args:
        tags: Whether labels are instead which quarters hold the pixel: (N, 4) bool.
    """

    def __init__(self, *, tags: bool = False) -> None:
        places = np.random.default_rng(0).integers(0, 8, (400, 2))
        images = torch.zeros(400, 1, 8, 8, dtype=torch.uint8)
        images[torch.arange(400), 0, places[:, 1], places[:, 0]] = 255
        quarter = places[:, 0] // 4 + 2 * (places[:, 1] // 4)
        labels = quarter[:, None] == np.arange(4) if tags else (places / 7).astype(np.float32)
        self.classes = ["a", "b", "c", "d"] if tags else ["x", "y"]
        self.splits: dict[str, Images] = {"train": Arrays(images, labels)}


class Point:
    """Find the place of the pixel."""

    takes = "values"
    views, kept = 1, 2
    predicts = ""

    def head(self, features: int) -> nn.Module:
        return nn.Linear(features, 2)

    @staticmethod
    def targets(labels: Tensor, *, classes: int, mixed: bool) -> Tensor:
        return labels

    @staticmethod
    def captions(targets: Tensor, *, classes: list[str]) -> list[str]:
        return [""] * len(targets)

    def loss(self, forward, batch: Inputs) -> Tensor:
        return (forward(batch.images) - batch.targets).square().mean()

    def correct(self, outputs: Tensor, batch: Inputs) -> None: ...

    def outputs(self, forward, batch: Inputs) -> tuple[Tensor, Tensor]:
        return forward(batch.images), batch.labels

    def metrics(self, outputs: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": (outputs - labels).square().mean()}


class Quarters(Point):
    """Find the quarter."""

    takes = "multilabel"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            POINT,
            r"task=Point takes values, and the labels of train are one class per image \(int64, \(1797,\)\)",
        ),
        (
            SPOTS,
            r"task=classify takes one class per image, and the labels of train are values \(float32",
        ),
        (
            [*SPOTS, "++data.tags=true", *POINT],
            "takes values, and the labels of train are several classes per image",
        ),
        ([*SPOTS, *POINT, "data.balance=true"], "data.balance: needs one class per image"),
        ([*SPOTS, *POINT, "data.classes=[x]"], "data.classes: needs one class per image"),
    ],
)
def test_labels_that_do_not_fit_are_refused_in_a_sentence(words, sentence, tmp_path):
    with pytest.raises(Problem, match=sentence):
        built([*SHORT, *words], tmp_path)


def test_values_cannot_be_relabelled_by_a_class(tmp_path):
    table = tmp_path / "decisions.csv"
    table.write_text("file,decision,label\ntrain/3,relabel,x\n")
    with pytest.raises(
        Problem, match="line 2: relabel: needs one class per image, and these labels are values"
    ):
        built([*SHORT, *SPOTS, *POINT, f"data.decisions={table}"], tmp_path)


def test_inspect_refuses_what_has_no_classes(tmp_path):  # room: inspection
    said = imagelab("inspect", *SPOTS, folder=tmp_path)
    assert said.status == 2
    assert "takes one class per image, and the labels of train are values" in said.err


def test_labels_of_no_kind_are_refused():
    with pytest.raises(Problem, match=r"labels must be .* got \(3, 1\) <U1"):
        kind_of(np.array([["a"], ["b"], ["c"]]))


@pytest.mark.parametrize("more", [[*POINT], ["++data.tags=true", f"task._target_={HERE}.Quarters"]])
def test_values_and_several_classes_are_split_and_reach_the_loss_beside_their_images(more, tmp_path):
    words = [*SHORT, *SPOTS, *more, "data.limit=null", "data.folds=4", "data.fold=1"]
    data = built(words, tmp_path).data
    assert [data.counts[split] for split in ("train", "val", "test")] == pytest.approx([240, 80, 80], abs=12)
    contents = [set(part.contents.tolist()) for part in data.named.values()]
    assert len(set.union(*contents)) == sum(map(len, contents)) == 64, "copies are on one side"
    whole = Spots(tags=len(more) > 1).splits["train"]
    for split, named in data.named.items():
        assert np.array_equal(named.labels, whole.labels[named.places])
        assert torch.equal(data.splits[split].images, whole.images[torch.from_numpy(named.places)])
    assert len(np.unique(np.concatenate([named.places for named in data.named.values()]))) == 400


def test_a_network_learns_values_from_a_data_set_of_values(tmp_path):
    words = [*SHORT, *SPOTS, *POINT, "data.limit=null", "trainer.max_epochs=8", "optimizer.lr=0.01"]
    history = fitted(words, tmp_path).classifier.history
    assert history[-1]["val/loss"] < 0.107 / 2  # half the variance of the places, which no constant beats
