# room: generators
"""Mistakes in a generator and a discriminator are planted one at a time and found."""

import dataclasses

import pytest
import torch
from torch import nn

from imagelab.checks.run import OF_PAIRS, PAIRS_TRAINED, checks_of, run
from imagelab.finding import Finding
from tests.zoo import subject

WORDS = ["task=gan", "data.limit=200", "model.width=8", "model.latent=8"]
OWN = ("ranges of both", "scores at init", "losses at init", "noise and classes", "gradients of both")
OWN += ("both networks move", *PAIRS_TRAINED)


class Squashed(nn.Module):
    """A discriminator with a sigmoid at its end."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.last = net, nn.Sigmoid()

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.last(self.net(images, labels))


def sigmoid_in_the_generator(one):
    one.classifier.pair.generator.layers[-1] = nn.Sigmoid()


def sigmoid_in_the_discriminator(one):
    one.classifier.pair.discriminator = Squashed(one.classifier.pair.discriminator)


def pixels_from_0_to_1(one):
    one.data.preprocess = dataclasses.replace(one.data.preprocess, mean=[0.0], std=[1.0])


def wild_scores(one):
    with torch.no_grad():
        one.classifier.pair.discriminator.score.weight.mul_(1000)


def no_class(one):
    nn.init.zeros_(one.classifier.pair.generator.classes.weight)


def no_noise(one):
    net = one.classifier.pair.generator
    with torch.no_grad():
        net.start.weight[:, :8] = 0


def pooled(one):
    net = one.classifier.pair.discriminator
    net.layers[0] = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), net.layers[0], nn.ReLU())


def detached(one):
    one.classifier.pair.generator.layers[3].register_forward_hook(lambda _, __, made: made.detach())


def generator_turned(one):
    one.classifier.task.criterion.generator = lambda scores: scores.mean()


def targets_swapped(one):
    one.classifier.task.target_real, one.classifier.task.target_fake = 0.0, 1.0


def a_layer_left_out(one):
    for group in one.classifier.groups:
        last = one.classifier.pair.generator.layers[-2]
        group["params"] = [p for p in group["params"] if all(p is not q for q in last.parameters())]


def no_rate(one):
    for group in one.classifier.groups:
        group["lr"] *= not group["name"].startswith("discriminator")


BUGS = {
    "sigmoid at the end of the generator": (
        sigmoid_in_the_generator,
        "ranges of both",
        "FAIL",
        "never make",
    ),
    "pixels from 0 to 1 beside tanh": (pixels_from_0_to_1, "ranges of both", "WARN", "a part of what"),
    "sigmoid at the end of the discriminator": (
        sigmoid_in_the_discriminator,
        "scores at init",
        "FAIL",
        "before any sigmoid",
    ),
    "scores far from 0": (wild_scores, "scores at init", "FAIL", "sure"),
    "a first loss far from that of 0": (wild_scores, "losses at init", "FAIL", "far from 0"),
    "the generator ignores the class": (no_class, "noise and classes", "FAIL", "class, in the generator"),
    "the generator ignores the noise": (no_noise, "noise and classes", "FAIL", "noise"),
    "ReLU and pooling": (pooled, "gradients of both", "WARN", "MaxPool2d, ReLU"),
    "detached images": (detached, "gradients of both", "FAIL", "generator.start.weight"),
    "an optimizer without a layer": (a_layer_left_out, "both networks move", "FAIL", "generator.layers.5"),
    "a rate of 0": (no_rate, "both networks move", "FAIL", "discriminator.layers.0.weight"),
    "targets swapped for the discriminator alone": (
        targets_swapped,
        "discriminator alone",
        "FAIL",
        "swapped",
    ),
    "the generator's loss turned round": (generator_turned, "generator alone", "FAIL", "sign"),
}


def checked(bug, name: str) -> Finding:
    one = subject(WORDS)
    bug(one)
    return run(one, fast=False, only=[name])[0]


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_mistake_is_found_and_explained(bug):
    change, name, status, word = BUGS[bug]
    found = checked(change, name)
    assert found.status == status, found
    assert word in found.why, found
    assert found.fix


SOUND = [
    [],
    ["loss=lsgan", "task.flip_labels=true", "task.smooth_real=0.1"],
    ["loss=hinge", "model.norm=spectral", "model.conditional=false"],
    ["loss=wasserstein", "trick=[gradient_penalty]", "model.norm=group", "task.discriminator_steps=2"],
    ["model=began"],
]


@pytest.mark.parametrize("words", SOUND, ids=" ".join)
def test_nothing_is_said_against_sound_pairs_which_are_copied_once_to_play_and_once_to_learn(words):
    one, copies = subject([*WORDS, *words]), []
    one.plain, plain = lambda: copies.append(1) or plain(), one.plain
    found = run(one, fast=False, only=OWN)
    assert len(copies) == 3 + len(PAIRS_TRAINED)  # one game, the work counted, one step; each network alone
    assert [one.name for one in found] == list(OWN)
    assert {one.status for one in found} == {"OK"}, [one for one in found if one.status != "OK"]


def test_what_a_pair_has_no_use_for_is_not_checked():
    names = {name for checks in checks_of(subject(WORDS)) for name in checks}
    assert names == {*OF_PAIRS, *PAIRS_TRAINED}
    assert {"whole split", "near copies across splits", *OWN} < names
    assert not names & {"loss at init", "logits", "overfit one batch"}
