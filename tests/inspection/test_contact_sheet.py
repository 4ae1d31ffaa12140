from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from torch import Tensor

from imagelab.config.compose import compose, plain
from imagelab.contracts import Inputs
from imagelab.inspection.contact_sheet import EACH, KEY, entering, net_inputs, sheets
from tests.fitting import SHORT, built


class Spy(lightning.Callback):
    """Keeps what the training steps get."""

    def __init__(self) -> None:
        self.seen: list[Inputs] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Inputs, batch_idx: int) -> None:
        self.seen.append(batch._replace(images=batch.images.clone(), targets=batch.targets.clone()))


def trained_on(words: list[str], folder: Path) -> tuple[Any, list[Inputs]]:
    """The data of a run, and what its training steps got."""
    parts, spy = built(words, folder), Spy()
    parts.trainer.callbacks.append(spy)  # type: ignore[attr-defined]
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return built(words, folder / "again").data, spy.seen


SMALL = [*SHORT, "augment=[crop,flip,color_jitter,mixup,cutmix]"]


def photo_words(photos: Path) -> list[str]:
    words = [
        "data=folder",
        f"data.root={photos}",
        "data.storage=files",
        "data.size=24",
        "augment=[resnet,mixup]",
    ]
    return [*SHORT, *words, "data.batch_size=16", "data.limit=40", "data.workers=1"]


@pytest.mark.parametrize("kind", ["small images", "photos"])
def test_the_sheet_shows_the_inputs_of_training_steps_bit_for_bit(
    kind: str, photos: Path, tmp_path: Path
) -> None:
    data, steps = trained_on(SMALL if kind == "small images" else photo_words(photos), tmp_path)
    assert len(steps) >= 2
    for got, shown in zip(steps, entering(data), strict=True):
        assert torch.equal(got.images, shown.images)
        assert torch.equal(got.targets, shown.targets)
    first, _ = sheets(data)
    pixels = data.preprocess.denormalise(steps[0].images)
    size = pixels.shape[-1]
    times = first.pixels.shape[1] // size
    assert np.array_equal(first.pixels[:, ::times, ::times], three(pixels[: len(first.pixels)]))


def three(pixels: Tensor) -> np.ndarray:
    return np.repeat(pixels.permute(0, 2, 3, 1).numpy(), 3 // pixels.shape[1], axis=3)


def test_captions_show_the_shares_of_mixed_labels(tmp_path: Path) -> None:
    data, steps = trained_on(SMALL, tmp_path)
    first, by_class = sheets(data)
    share, label = steps[0].targets.topk(2, dim=1)
    expected = (
        f"{share[0, 0]:.2f} {data.classes[label[0, 0]]} + {share[0, 1]:.2f} {data.classes[label[0, 1]]}"
    )
    assert share[0, 0] < 0.99
    assert first.words[0] == expected
    assert set(by_class) == set(data.classes)
    assert max(len(sheet.words) for sheet in by_class.values()) == EACH


def test_the_page_and_a_picture_show_the_inputs(tmp_path: Path) -> None:
    composed = compose("train", SMALL)
    assert composed.cfg is not None
    answer = net_inputs(None, plain(composed.cfg), tmp_path)
    assert (tmp_path / KEY).is_file()
    assert "augment=[crop, flip, color_jitter, mixup, cutmix]" in answer.sections[0].about
    assert answer.sections[0].body.count("<img") == 48
    assert "(1, 8, 8)" in answer.findings[0].value


def test_data_that_cannot_be_trained_on_are_a_finding(tmp_path: Path) -> None:
    composed = compose("train", ["data.batch_size=5000"])
    assert composed.cfg is not None
    (finding,) = net_inputs(None, plain(composed.cfg), tmp_path).findings
    assert finding.status == "FAIL"
    assert "data.batch_size: 5000 is more than" in finding.why
