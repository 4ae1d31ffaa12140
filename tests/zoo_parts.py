# room: checks
"""Networks, modules and optimizers with a mistake each, to put around or in place of sound ones."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from imagelab.classifier import Classifier
from imagelab.contracts import Photos
from imagelab.data.arrays import Arrays
from imagelab.data.image_data import ImageData
from imagelab.data.resize import covered
from imagelab.model.head import last_layer


class Wrapped(nn.Module):
    """A network inside another one."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)


class Probabilities(Wrapped):
    def forward(self, images):
        return self.net(images).softmax(1)


class Mixed(Wrapped):
    def forward(self, images):
        count = len(images)
        return self.net(
            images.permute(1, 0, 2, 3).reshape(count, *images.shape[1:]).roll(1, 0) + images * 0.01
        )


class Detached(Wrapped):
    """The features do not pass gradients to what comes before the last layer."""

    def __init__(self, net):
        super().__init__(net)
        last_layer(net)[1].register_forward_pre_hook(_detach)


class DropsOn(Wrapped):
    def forward(self, images):
        return self.net(functional.dropout(images, 0.3, training=True))


class Drawing(Wrapped):
    def forward(self, images):
        noise = np.random.default_rng().normal(size=images.shape)
        return self.net(images + 0.1 * self.training * torch.from_numpy(noise).float())


class Blind(Wrapped):
    def forward(self, images):
        return self.net(images * 0)


class Hoarding(Wrapped):
    """One layer more, in a list: it takes part, and is no parameter."""

    def __init__(self, net):
        super().__init__(net)
        self.kept = [nn.Conv2d(1, 1, 3, padding=1)]

    def forward(self, images):
        return self.net(images + self.kept[0](images[:, :1]))


class Forgetful(Wrapped):
    """All that differs between images is lost on the way, but for a little."""

    def forward(self, images):
        outputs = self.net(images)
        return outputs.mean(0, keepdim=True) + 0 * outputs


class NeverEvaluates(Classifier):
    def validation_step(self, batch, batch_idx):
        self.net.train()
        super().validation_step(batch, batch_idx)


class Scrambled(ImageData):
    def prepare_batch(self, batch, *, train, rank):
        found = super().prepare_batch(batch, train=train, rank=rank)
        order = torch.rand(found.images.shape).flatten(2).argsort(2)
        return found._replace(images=found.images.flatten(2).gather(2, order).reshape(found.images.shape))


class Reluctant(torch.optim.SGD):
    """An optimizer that computes all and changes nothing."""

    @classmethod
    def plant(cls, module):
        module.make_optimizer = cls

    def step(self, closure=None):
        return closure() if closure else None


def grow(images):
    """Photos as arrays, 64 pixels a side."""
    assert isinstance(images, Photos)
    pixels = np.stack([covered(images.photo(place, 64), 64, 64) for place in range(len(images))])
    return Arrays(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), images.labels)


def _detach(_, inputs):
    return tuple(one.detach() for one in inputs)
