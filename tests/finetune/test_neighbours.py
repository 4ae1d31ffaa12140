"""Nearest neighbours against what is known of toy features, and against a plain count."""

import pytest
import torch

from imagelab.finetune.neighbours import chance, neighbour_accuracy

LABELS = torch.arange(300) % 3


def draw(*shape: int, seed: int = 0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_separated_classes_are_recognised_and_shuffled_labels_are_not():
    features = draw(3, 16, seed=1)[LABELS] * 5 + draw(300, 16)
    assert neighbour_accuracy(features, LABELS, count=5) == 1.0
    shuffled = LABELS[torch.randperm(300, generator=torch.Generator().manual_seed(2))]
    assert neighbour_accuracy(features, shuffled, count=5) == pytest.approx(1 / 3, abs=0.1)


def test_an_image_does_not_vote_for_itself():
    features, labels = torch.eye(4), torch.tensor([0, 1, 2, 3])
    assert neighbour_accuracy(features, labels, count=1) == 0.0
    twice = torch.cat([features, features + 0.01])
    assert neighbour_accuracy(twice, labels.repeat(2), count=1) == 1.0


def test_the_nearest_neighbour_has_the_largest_cosine():
    features = draw(700, 4)  # more than are compared at once
    labels = (features[:, 0] > 0).long()
    centred = features - features.mean(0)
    cosine = torch.nn.functional.cosine_similarity(centred[:, None], centred[None], dim=2).fill_diagonal_(-2)
    expected = (labels[cosine.argmax(1)] == labels).float().mean().item()
    assert neighbour_accuracy(features, labels, count=1) == pytest.approx(expected)


def test_feature_maps_are_compared_as_a_whole_regardless_of_scale_and_shift():
    features = draw(60, 2, 3, 3)
    labels = torch.arange(60) % 2
    plain = neighbour_accuracy(features.flatten(1), labels, count=7)
    assert neighbour_accuracy(features * 10 + 3, labels, count=7) == pytest.approx(plain)


def test_more_neighbours_than_other_images_means_all_others():
    features, labels = draw(20, 3), torch.arange(20) % 2
    assert neighbour_accuracy(features, labels, count=50) == neighbour_accuracy(features, labels, count=19)
    assert chance(torch.tensor([2, 2, 0])) == pytest.approx(2 / 3)
