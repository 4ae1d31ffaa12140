# room: generators
"""List the runs of the benchmark of generators: GANs by trick, and classifiers of few digits."""

from typing import NamedTuple

from many_runs import Words

COMMON = {"trainer": "cpu", "save_every": "100000", "logger": "[]"}
GAN = {"task": "gan", **COMMON}
PLAIN, EVERYTHING = "plain", "all that go together"
TRICKS: dict[str, Words] = {
    PLAIN: {},
    "minimax": {"loss": "minimax"},
    "least squares": {"loss": "lsgan"},
    "hinge": {"loss": "hinge"},
    "GroupNorm": {"model.norm": "group"},
    "Wasserstein, gradient penalty, GroupNorm": {
        "loss": "wasserstein",
        "trick": "[gradient_penalty]",
        "model.norm": "group",
        "task.discriminator_steps": "5",
    },
    "Wasserstein, weights clipped": {
        "loss": "wasserstein",
        "trick": "[weight_clip]",
        "task.discriminator_steps": "5",
    },
    "R1, GroupNorm": {"trick": "[r1]", "model.norm": "group"},
    "instance noise": {"trick": "[instance_noise]"},
    "targets smoothed, real images": {"task.smooth_real": "0.1"},
    "targets smoothed, both sides": {"task.smooth_real": "0.1", "task.smooth_fake": "0.1"},
    "targets flipped": {"task.flip_labels": "true"},
    "5% of targets flipped": {"task.flip_share": "0.05"},
    "spectral norm": {"model.norm": "spectral"},
    "no norm": {"model.norm": "none"},
    "averaged generator": {"trick": "[ema]"},
    "generator at half the rate": {"task.generator_rate": "0.5"},
    "no labels": {"model.conditional": "false"},
    EVERYTHING: {
        "model.norm": "spectral",
        "trick": "[r1,instance_noise,ema]",
        "task.smooth_real": "0.1",
        "task.flip_share": "0.05",
        "task.generator_rate": "0.5",
    },
}
MADE = 5000  # images per generator for the judge

COUNTS = (10, 20, 100)  # training images per class of the classifier, and of the generator that helps it
CLASSES = 10
BATCH = 32
GAN_STEPS = 2000
CLASSIFIER_STEPS = 600  # as many with generated images as without


class Helped(NamedTuple):
    """A classifier: the share of its training images that are generated, and its other words."""

    share: float
    words: Words


CLASSIFIERS = {
    "real images": Helped(0, {}),
    "30% generated": Helped(0.3, {}),
    "60% generated": Helped(0.6, {}),
    "shifted": Helped(0, {"augment": "[translate]"}),
    "shifted, 30% generated": Helped(0.3, {"augment": "[translate]"}),
}


def few(count: int) -> Words:
    """Words for a run on so many real digits per class, the same ones for both networks."""
    return {**COMMON, "data.train_limit": str(CLASSES * count), "data.batch_size": str(BATCH)}


def generator(count: int) -> Words:
    """Words for the generator that sees so many digits per class."""
    return {"task": "gan", **few(count), "trainer.max_epochs": epochs(CLASSES * count, GAN_STEPS)}


def classifier(name: str, count: int) -> Words:
    """Words for a classifier, without the folder of generated images."""
    share, words = CLASSIFIERS[name]
    images = round(CLASSES * count / (1 - share))
    extra = {"data.extra_share": str(share)} if share else {}
    return {**few(count), **words, **extra, "trainer.max_epochs": epochs(images, CLASSIFIER_STEPS)}


def epochs(images: int, steps: int) -> str:
    """Number of epochs nearest to so many steps; the last batch of an epoch is left out unless it is full.

    >>> epochs(100, 600), epochs(143, 600)
    ('200', '150')
    """
    return str(max(1, round(steps / max(1, images // BATCH))))
