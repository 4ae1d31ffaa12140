import numpy as np
import pytest
import torch

from imagelab.contracts import Images
from imagelab.data.arrays import Arrays


def numbered(count):
    """Image k shows k everywhere."""
    return Arrays(
        torch.arange(count, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4), np.arange(count)
    )


def test_a_batch_is_gathered_in_the_order_asked_for():
    assert numbered(9).gather(np.array([8, 0, 3, 3]))[:, 0, 0, 0].tolist() == [8, 0, 3, 3]


def test_selected_images_keep_their_labels():
    some = numbered(9).select(np.array([5, 2]))
    assert isinstance(some, Images)
    assert (some.images[:, 0, 0, 0].tolist(), some.labels.tolist()) == ([5, 2], [5, 2])


def test_other_labels_leave_the_images_alone():
    images = numbered(3)
    other = images.relabel(np.array([1, 1, 0]))
    assert other.labels.tolist() == [1, 1, 0]
    assert other.images.data_ptr() == images.images.data_ptr()


@pytest.mark.parametrize(
    ("images", "labels", "told"),
    [
        (torch.zeros(2, 3, 4, 4), [0, 1], "uint8"),
        (torch.zeros(2, 4, 4, dtype=torch.uint8), [0, 1], r"\(2, 4, 4\)"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.uint8), [0], "got 1 labels for 2 images"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(images, labels, told):
    with pytest.raises(ValueError, match=told):
        Arrays(images, np.array(labels))
