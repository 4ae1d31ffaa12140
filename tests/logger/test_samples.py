# room: generators
"""The picture of what a generator makes is the same in the folder of the run and in its loggers."""

from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image

from imagelab.data.preprocess import Preprocess
from imagelab.logger import samples


class Pair(torch.nn.Module):
    """A generator of grey images, whose brightness is the class."""

    def __init__(self) -> None:
        super().__init__()
        self.latent = 2

    def generator(self, noise, labels):
        return (labels / 8)[:, None, None, None].expand(-1, 1, 4, 4)


def test_loggers_get_all_images_of_the_saved_picture(tmp_path, monkeypatch):
    logged = []
    monkeypatch.setattr(samples, "log_pictures", lambda *given, step: logged.append((*given, step)))
    grey = Preprocess(size=4, channels=1, mean=[0.0], std=[1.0], resize=4, interpolation="bilinear")
    shown = samples.SamplePictures(preprocess=grey, classes=8, folder=tmp_path)
    fit = SimpleNamespace(fn="fit")
    trainer = SimpleNamespace(
        is_global_zero=True, state=fit, current_epoch=0, max_epochs=3, loggers=["a"], global_step=7
    )
    shown.on_validation_end(trainer, SimpleNamespace(net=Pair(), device=torch.device("cpu")))
    ((loggers, key, images, words, step),) = logged
    saved = np.array(Image.open(tmp_path / "images" / "samples.png"))
    assert (loggers, key, words, step) == (["a"], "images/samples", ["epoch 1"], 7)
    assert np.array_equal(images, saved[None])
    assert len(np.unique(saved)) == 8 + 1  # a grey per class, and the white lines
