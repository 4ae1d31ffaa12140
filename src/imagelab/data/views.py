"""Put several views of each image into one batch: all images, then all again with different draws.

Source: Chen et al. 2020, https://arxiv.org/abs/2002.05709, section 2.1: two views of each image.
"""

import numpy as np
import torch
from torch.utils.data import Dataset

from imagelab.contracts import Batch
from imagelab.data.batches import Address
from imagelab.randomness import sample_keys


class Views(Dataset[Batch]):
    """The batches of a data set with several views of each image.

    Args:
        batches: Data set that provides the images, view after view; the first view uses the address's keys.
        count: Number of views per image, >= 1.
    """

    def __init__(self, batches: Dataset[Batch], *, count: int) -> None:
        self.batches, self.count = batches, count

    def __getitem__(self, address: Address) -> Batch:
        index = np.tile(address.index, self.count)
        keys = torch.from_numpy(address.keys)
        views = [keys, *(sample_keys(view, 0, keys) for view in range(1, self.count))]
        return self.batches[address._replace(index=index, keys=torch.cat(views).numpy())]
