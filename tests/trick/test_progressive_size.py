"""Training images that grow, for the same steps; evaluation at the final size."""

import csv

import pytest
import torch

from imagelab.problem import Problem
from imagelab.trick.progressive_size import ProgressiveSize
from tests.fitting import SHORT, built
from tests.runs_of_the_command import assert_same
from tests.trick.averaging import last, recorded, resumed

WORDS = ["trick=[progressive_size]", "trick.progressive_size.until=1", "trainer.max_epochs=4"]


def test_the_side_grows_by_equal_steps_and_is_final_after_its_share_of_the_run():
    plan = ProgressiveSize(start=0.5, until=0.5, multiple=1)
    assert [plan.side_in(epoch, 8, 32) for epoch in range(8)] == [16, 20, 24, 28, 32, 32, 32, 32]
    photos = ProgressiveSize(start=0.5, until=0.75, multiple=32)
    assert [photos.side_in(epoch, 8, 224) for epoch in range(8)] == [128, 128, 160, 160, 192, 192, 224, 224]


@pytest.mark.parametrize("storage", ["memory", "files"])
def test_the_network_sees_the_planned_sizes_in_training_and_the_final_one_in_validation(
    storage, tmp_path, photos
):
    files = [
        "data=folder",
        f"data.root={photos}",
        "data.size=16",
        f"data.storage={storage}",
        "data.batch_size=4",
    ]
    parts = built([*SHORT, "logger=[csv]", *files, *WORDS], tmp_path)
    seen: dict[tuple[int, bool], set[int]] = {}

    def noted(layer, given):
        seen.setdefault((parts.trainer.current_epoch, layer.training), set()).add(given[0].shape[-1])

    parts.classifier.net.features.register_forward_pre_hook(noted)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    seen[0, False].discard(8)  # tried before the start
    sides = [8, 10, 12, 14]
    assert seen == {(epoch, True): {side} for epoch, side in enumerate(sides)} | {
        (epoch, False): {16} for epoch in range(4)
    }
    rows = csv.DictReader((tmp_path / "metrics.csv").read_text().splitlines())
    assert [float(row["train/size"]) for row in rows if row["train/size"]] == sides


def test_small_images_are_means_of_the_large_ones():
    plan = ProgressiveSize(start=0.5, until=1.0, multiple=1)
    plan.side = 4
    (small,) = plan._shrink(torch.nn.Identity(), (torch.ones(2, 3, 8, 8),))
    torch.testing.assert_close(small, torch.ones(2, 3, 4, 4))


def test_a_run_resumed_within_an_epoch_ends_like_one_that_was_not(tmp_path):
    recorded(WORDS, tmp_path / "whole", copy_at=6)
    resumed(WORDS, tmp_path / "again", tmp_path / "whole" / "copy.ckpt")
    assert_same(last(tmp_path / "whole"), last(tmp_path / "again"))


def test_a_network_for_one_size_is_refused(tmp_path):
    parts = built([*SHORT, "model=linear", "trick=[progressive_size]"], tmp_path)
    with pytest.raises(Problem, match=r"start: Linear does not take images of 4 x 4 pixels; set a larger"):
        parts.trainer.fit(parts.classifier, datamodule=parts.data)
