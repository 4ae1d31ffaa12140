"""Options of the network that conflict or have no effect."""

import pytest

from imagelab.config import validate
from imagelab.config.compose import compose, plain

PHOTOS = "model=torchvision model.name=resnet18 model.pretrained=true"
MISTAKES = {
    "model.slope=0.2": "model.slope: has no effect with model.activation=default, got 0.2; set",
    "model.pool_ratio=1.4": "model.pool_ratio: has no effect with model.pool=default, got 1.4; set",
    f"{PHOTOS} model.pool=fractional_max model.pool_ratio=1.4": "model.pool_ratio: would put untrained",
    f"{PHOTOS} model.norm=spectral": "model.norm: model.pretrained=true was trained with other",
    f"{PHOTOS} model.norm=instance": "model.norm: model.pretrained=true was trained with other",
    "model.norm=weight trainer.sync_batchnorm=true": "trainer.sync_batchnorm: model.norm=weight has no batch",
    "model.pool=fractional_max model.pool_ratio=2": "model.pool_ratio: wants a ratio between 1 and 2, got 2",
    "model.kernel_size=2": "model.kernel_size: ",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_each_is_refused_in_one_sentence(words):
    composed = compose("train", ["trainer=cpu", *words.split()])
    assert composed.cfg is not None
    (sentence,) = composed.problems + validate.problems(plain(composed.cfg))
    assert sentence.startswith(MISTAKES[words])
