from typing import Any

import numpy as np
import pytest
import torch

from imagelab.augment.copy_paste import CopyPaste, _spans
from imagelab.contracts import Augment, Mix
from imagelab.problem import Problem


def paste(**changes: Any) -> CopyPaste:
    return CopyPaste(**{"area": (0.1, 0.5), "scale": (0.8, 1.25), "feather": 0, "p": 1.0} | changes)


def flat(count: int = 6, height: int = 24, width: int = 18) -> tuple[torch.Tensor, torch.Tensor]:
    """Image i is 1 in channel i and 0 in all others: a pixel's channels say what it shows of each."""
    return torch.eye(count)[:, :, None, None].expand(-1, -1, height, width).clone(), torch.eye(count)


def pasted(copy_paste: CopyPaste, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Image 0, all -1, after pasting; image 1 tells in its channels each pixel's row and column.

    The first is (2, side, side), the second its label weights (2,).
    """
    rows = torch.arange(side, dtype=torch.float32)[:, None].expand(side, side)
    images = torch.stack([torch.full((2, side, side), -1.0), torch.stack([rows, rows.T])])
    rng = np.random.default_rng(seed)
    while True:
        mixed, labels = copy_paste.mix(images, torch.eye(2), rng)
        if labels[0, 1] > 0:  # not its own partner
            return mixed[0], labels[0]


def box(mixed: torch.Tensor) -> tuple[slice, slice]:
    hit = mixed[0] >= 0
    rows, columns = hit.any(1).nonzero()[:, 0], hit.any(0).nonzero()[:, 0]
    assert hit.sum() == len(rows) * len(columns), "it is one rectangle"
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


@pytest.mark.parametrize("feather", [0, 1, 3])
def test_the_weight_of_a_label_is_what_is_seen_of_its_image(feather: int):
    for seed in range(100):
        mixed, labels = paste(feather=feather).mix(*flat(), np.random.default_rng(seed))
        torch.testing.assert_close(labels, mixed.mean((2, 3)))
        torch.testing.assert_close(mixed.sum(1), torch.ones(6, 24, 18))


def test_without_feather_the_weight_is_the_pasted_area_to_the_pixel():
    for seed in range(100):
        mixed, labels = paste().mix(*flat(), np.random.default_rng(seed))
        counts = mixed.isclose(torch.tensor(1.0)).flatten(2).sum(2)
        assert (counts.sum(1) == 24 * 18).all(), "each pixel is of one image alone"
        torch.testing.assert_close(labels * 24 * 18, counts.float(), atol=1e-3, rtol=0)


def test_a_patch_is_a_window_of_the_partner_at_another_place():
    moved = 0
    for seed in range(40):
        mixed, _ = pasted(paste(scale=(1.0, 1.0)), 20, seed)
        window = mixed[(slice(None), *box(mixed))]
        (top, left), (_, tall, wide) = window[:, 0, 0], window.shape
        assert window[0].equal((top + torch.arange(tall))[:, None].expand(tall, wide))
        assert window[1].equal((left + torch.arange(wide))[None].expand(tall, wide))
        moved += (int(top), int(left)) != (box(mixed)[0].start, box(mixed)[1].start)
    assert moved > 35


@pytest.mark.parametrize("zoom", [0.5, 2.0])
def test_a_patch_is_made_so_much_larger(zoom: float):
    for seed in range(20):
        mixed, _ = pasted(paste(scale=(zoom, zoom), area=(0.09, 0.2)), 64, seed)
        rows, columns = box(mixed)
        middle = mixed[:, rows, columns][:, 3:-3, 3:-3]
        step = [middle[0].diff(dim=0).mean().item(), middle[1].diff(dim=1).mean().item()]
        assert step == [pytest.approx(1 / zoom, rel=0.06)] * 2


def test_the_area_is_even_between_its_bounds_and_every_place_is_possible():
    areas, corners = [], set()
    for seed in range(400):
        mixed, labels = pasted(paste(area=(0.2, 0.4)), 96, seed)
        areas.append(labels[1].item())
        corners.add((box(mixed)[0].start, box(mixed)[1].start))
    share = np.sort((np.array(areas) - 0.2) / 0.2)
    assert abs(share - np.linspace(0, 1, 400)).max() < 1.63 / 400**0.5 + 0.03  # 1%, and whole pixels
    assert len(corners) > 300


def test_the_border_fades_in_even_steps():
    mixed, _ = paste(area=(0.25, 0.25), feather=3).mix(*flat(2, 40, 40), np.random.default_rng(0))
    labels = mixed.mean((2, 3))
    shown = mixed[0, 1] if labels[0, 1] > 0 else mixed[0, 0]
    rows, columns = shown.amax(1), shown.amax(0)
    ramp = torch.tensor([0.25, 0.5, 0.75] + [1.0] * 14 + [0.75, 0.5, 0.25])
    torch.testing.assert_close(rows[rows > 0], ramp)
    torch.testing.assert_close(columns[columns > 0], ramp)
    torch.testing.assert_close(shown, rows[:, None] * columns)


def test_the_share_of_batches_that_are_pasted_into_is_p_and_the_others_stay_as_they_are():
    rng, (images, targets) = np.random.default_rng(0), flat(2, 4, 4)
    outputs = [paste(p=0.3).mix(images, targets, rng) for _ in range(1500)]
    assert np.mean([mixed is images for mixed, _ in outputs]) == pytest.approx(0.7, abs=0.05)


def test_the_same_generator_gives_the_same_mix_and_the_inputs_stay():
    images, targets = flat()
    first = paste(feather=2).mix(images, targets, np.random.default_rng(5))
    second = paste(feather=2).mix(images, targets, np.random.default_rng(5))
    assert first[0].equal(second[0])
    assert first[1].equal(second[1])
    assert images.equal(flat()[0])
    assert targets.equal(flat()[1])


def test_a_batch_of_one_is_refused():
    with pytest.raises(Problem, match=r"the batch has 1: set data.batch_size to 2 or more"):
        paste().mix(*flat(1), np.random.default_rng(0))


def test_it_is_an_augmentation_of_batches():
    assert isinstance(paste(), Mix)
    assert not isinstance(paste(), Augment)


def test_a_patch_is_cut_and_pasted_at_every_place_where_it_fits():
    rng = np.random.default_rng(0)
    spans = [_spans(rng, 0.5, 1.0, 6) for _ in range(300)]
    for which in (0, 1):
        assert {pair[which].start for pair in spans} == {0, 1, 2, 3}
        assert {pair[which].stop - pair[which].start for pair in spans} == {3}
