"""Several views of each image in one batch: all images, then all anew with draws of their own.

Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 2.1: two views of each image.
"""

import numpy as np
import torch
from torch.utils.data import Dataset

from imagelab.contracts import Batch
from imagelab.data.batches import Address
from imagelab.randomness import sample_keys


class Views(Dataset[Batch]):
    """The batches of a data set, each image as often as there are views.

    Args:
        batches: What is asked for the images, view after view; the first has the keys of the address.
        count: Views of an image, >= 1.
    """

    def __init__(self, batches: Dataset[Batch], *, count: int) -> None:
        self.batches, self.count = batches, count

    def __getitem__(self, address: Address) -> Batch:
        index, keys = np.tile(address.index, self.count), torch.from_numpy(address.keys)
        views = [keys, *(sample_keys(view, 0, keys) for view in range(1, self.count))]
        return self.batches[address._replace(index=index, keys=torch.cat(views).numpy())]
