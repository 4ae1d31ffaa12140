import numpy as np
import torch
from scipy.stats import chisquare
from torchvision.transforms import v2

from imagelab.augment.apply import PhotoAugment
from imagelab.augment.changes import CHANGES, Widest
from imagelab.augment.trivial import WIDEST, TrivialAugment
from imagelab.contracts import Augment
from imagelab.randomness import sample_keys


def drawn(monkeypatch, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The changes and strengths that so many images would get."""
    seen = []

    def note(
        images: torch.Tensor, which: torch.Tensor, strength: torch.Tensor, widest: Widest
    ) -> torch.Tensor:
        assert widest is WIDEST
        seen.append((which, strength))
        return images

    monkeypatch.setattr("imagelab.augment.trivial.changed", note)
    TrivialAugment().batch(torch.zeros(count, 1, 1, 1).byte(), sample_keys(0, 0, torch.arange(count)))
    return seen[0]


def test_changes_strengths_and_directions_are_equally_likely(monkeypatch):
    which, level = drawn(monkeypatch, 30_000)
    direction = (level[level != 0] > 0).long()
    for values, kinds in [(which, len(CHANGES)), (level.abs(), 31), (direction, 2)]:
        counts = torch.bincount(values, minlength=kinds).numpy()
        assert len(counts) == kinds
        assert chisquare(counts).pvalue > 0.001
    assert abs(np.corrcoef(which, level)[0, 1]) < 0.02


def test_a_photo_gets_torchvisions_with_the_same_strengths():
    transform = TrivialAugment().transform(32)
    assert isinstance(transform, v2.TrivialAugmentWide)
    assert transform.num_magnitude_bins == 31
    assert transform.interpolation == v2.InterpolationMode.BILINEAR
    photo = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    augment = PhotoAugment([TrivialAugment()], size=32)
    changed = [augment(photo, key) for key in range(60)]
    assert {image.shape for image in changed} == {(40, 50, 3)}
    assert len({image.tobytes() for image in changed}) > 40


def test_it_is_an_augmentation_of_single_images():
    assert isinstance(TrivialAugment(), Augment)
