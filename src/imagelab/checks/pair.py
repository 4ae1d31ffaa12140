# room: generators
"""Can a generator and a discriminator train at all: ranges, scores, gradients, and what they look at?

Source: Radford et al. 2016, https://arxiv.org/abs/1511.06434, section 3 (which layers, tanh);
Arjovsky & Bottou 2017, https://arxiv.org/abs/1701.04862, section 2 (a sure discriminator teaches nothing).
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from imagelab.augment.noise import noise_of
from imagelab.checks.findings import NAMED, found
from imagelab.checks.subject import Subject
from imagelab.contracts import Inputs
from imagelab.finding import Finding, grade

FAR, BOUNDED = 1e4, 100.0  # what is fed to the last layer to find its bounds, and below what they count
SLACK, WASTE = 0.05, 1.5  # of ranges: what may stick out, and how much wider than the images they may be
SURE = 4.0  # logits from which a discriminator is sure: 98%
WILD = 30.0  # and from which nothing is left of a gradient
DEAD = 0.1  # share of pixels without any gradient from which the check warns
SAME = 1e-5  # difference of images below which they are the same
TANH = "end the generator with tanh, and let images be in -1 to 1"
SMALLER = "start the last layer of the discriminator with smaller weights"
SMOOTH = "use LeakyReLU for ReLU, and strided convolutions for pooling, in the discriminator"
CUTTING = (nn.ReLU, nn.MaxPool2d, nn.AdaptiveMaxPool2d, nn.Hardtanh, nn.ReLU6)


class Played(NamedTuple):
    """One pass of both networks: images, made ones of the same classes, their scores (B,)."""

    module: Any
    batch: Inputs
    fake: Tensor
    real_scores: Tensor
    fake_scores: Tensor


def play_once(subject: Subject) -> Played:
    """The game of the untrained networks, shared by all checks that do not change them."""
    if "game" not in subject.pictures:
        subject.pictures["game"] = play(subject, subject.calm())
    return subject.pictures["game"]


def play(subject: Subject, module: Any) -> Played:
    """Let the generator make an image per image of a batch, and the discriminator judge both."""
    batch = subject.some(subject.count)
    pair = module.pair
    fake = pair.generator(noise_of(batch.index, pair.latent), batch.labels)
    judged = [module.gan.realness(pair(images, batch.labels)) for images in (batch.images, fake)]
    return Played(module, batch, fake, *judged)


def ranges(subject: Subject) -> Finding:
    """The generator can make every value that images have, and hardly any other."""
    game = play_once(subject)
    real = [float(game.batch.images.amin()), float(game.batch.images.amax())]
    low, high = bounds(_last(game.module.pair.generator, lambda net: _make(net, game)))
    outside = real[0] < low - SLACK or real[1] > high + SLACK
    wide = math.isfinite(high - low) and high - low > WASTE * (real[1] - real[0])
    return found(
        grade(fail=outside, warn=wide),
        f"images {real[0]:.2g} to {real[1]:.2g}, generator {low:.3g} to {high:.3g}",
        expected="the same range for both: -1 to 1 with tanh",
        **remedy(
            (outside, "the generator can never make some values of real images, which gives it away", TANH),
            (wide, "real images use a part of what the generator makes", TANH),
        ),
    )


def scores(subject: Subject) -> Finding:
    """Scores are unbounded and finite, and the discriminator is not sure before it has learnt."""
    game = play_once(subject)
    pair = game.module.pair
    real, fake = float(game.real_scores.mean()), float(game.fake_scores.mean())
    low, high = bounds(_last(pair.discriminator, lambda net: net(game.batch.images, game.batch.labels)))
    bounded = math.isfinite(low) and math.isfinite(high)
    wild = not max(abs(real), abs(fake)) <= WILD
    sure = abs(real - fake) > SURE
    return found(
        grade(fail=bounded or wild, warn=sure),
        f"real {real:.3g}, generated {fake:.3g}" + (f", within {low:g} to {high:g}" if bounded else ""),
        expected=f"unbounded scores less than {SURE:g} apart; FAIL above {WILD:g}",
        **remedy(
            (bounded, "the losses take scores before any sigmoid", "remove its last layer"),
            (wild or sure, "a discriminator that is sure passes hardly any gradient on", SMALLER),
        ),
    )


def inputs_used(subject: Subject) -> Finding:
    """The generator depends on its noise, and both networks on the class if they are told."""
    game = play_once(subject)
    pair = game.module.pair.eval()
    labels = game.batch.labels
    other = (labels + 1) % len(subject.data.classes)
    noise = noise_of(game.batch.index, pair.latent)
    with torch.no_grad():
        made = pair.generator(noise, labels)
        used = {
            "noise": _differs(made, pair.generator(noise.flip(0) + 1, labels)),
            "class, in the generator": _differs(made, pair.generator(noise, other)),
            "class, in the discriminator": _differs(pair(made, labels), pair(made, other)),
        }
    pair.train()
    told = (
        len(subject.data.classes) > 1
        and used["class, in the generator"] | used["class, in the discriminator"]
    )
    unused = [name for name, use in used.items() if not use and (told or name == "noise")]
    return found(
        grade(fail=unused),
        "all used" if told and not unused else ", ".join(name for name, use in used.items() if use),
        expected="noise, and either both networks or neither use the class",
        **remedy(
            (bool(unused), f"not used: {', '.join(unused)}", "pass what is not used on to the first layers")
        ),
    )


def gradients(subject: Subject) -> Finding:
    """Each network has gradients from its own loss in every tensor, and so have all pixels."""
    game = play_once(subject)
    pair = game.module.pair
    # Of the scores, not of the loss: a constant that both kinds share cancels in the loss of a critic.
    own = {"discriminator": game.real_scores.sum(), "generator": losses(game)[1]}
    dead = [name for network, loss in own.items() for name in without_gradient(pair, network, loss)]
    (slopes,) = torch.autograd.grad(game.fake_scores.sum(), game.fake, retain_graph=True)
    share = float((slopes == 0).float().mean())
    cutting = {type(one).__name__ for one in pair.discriminator.modules() if isinstance(one, CUTTING)}
    named = ", ".join(sorted(cutting)) or "its layers"
    return found(
        grade(fail=dead, warn=share > DEAD),
        f"{len(dead)} tensors without, {share:.0%} of the pixels without",
        expected=f"a gradient in every tensor, and in {1 - DEAD:.0%} of the pixels",
        **remedy(
            (
                bool(dead),
                f"no gradient reaches {', '.join(dead[:NAMED])}",
                "detach and round nothing on the way",
            ),
            (share > DEAD, f"the discriminator ignores many pixels: {named}", SMOOTH),
        ),
    )


def first_losses(subject: Subject) -> Finding:
    """Both losses are finite, and about what they are for scores of 0."""
    game = play_once(subject)
    nothing = torch.zeros_like(game.real_scores)
    unsure = game._replace(real_scores=nothing, fake_scores=nothing)
    seen, usual = ([float(loss) for loss in losses(one)] for one in (game, unsure))
    apart = max(abs(one - other) for one, other in zip(seen, usual, strict=True))
    return found(
        grade(fail=not apart <= WILD, warn=apart > SURE),
        f"discriminator {seen[0]:.3g}, generator {seen[1]:.3g}",
        expected=f"within {SURE:g} of {usual[0]:.3g} and {usual[1]:.3g}, which scores of 0 cost",
        **remedy((not apart <= SURE, "scores are far from 0 before training", SMALLER)),
    )


def losses(game: Played) -> tuple[Tensor, Tensor]:
    """The losses of discriminator and generator."""
    task = game.module.gan
    real, fake = (task.realness(scores) for scores in (game.real_scores, game.fake_scores))  # as they came
    return task.loss_of_discriminator(real, fake), task.loss_of_generator(fake)


def without_gradient(pair: nn.Module, network: str, loss: Tensor) -> list[str]:
    """The names of the tensors of a network that a loss leaves without a finite gradient other than 0."""
    weights = dict(pair.get_submodule(network).named_parameters())
    given = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
    return [
        f"{network}.{name}"
        for name, one in zip(weights, given, strict=True)
        if one is None or not one.isfinite().all() or not one.any()
    ]


def remedy(*cases: tuple[bool, str, str]) -> dict[str, str]:
    """The reason and the remedy of the first case that is true; empty if none is."""
    return next(({"why": why, "fix": fix} for true, why, fix in cases if true), {"why": "", "fix": ""})


def _differs(one: Tensor, other: Tensor) -> bool:
    return float((one - other).abs().mean()) > SAME


def _make(generator: Any, game: Played) -> Tensor:
    return generator(noise_of(game.batch.index, game.module.pair.latent), game.batch.labels)


def _last(net: nn.Module, run: Callable[[Any], Tensor]) -> nn.Module:
    """The layer that a network ends with: the last one to run."""
    ran: list[nn.Module] = []
    leaves = [
        one
        for name, one in net.named_modules()
        if "parametrizations" not in name and {"parametrizations"} >= dict(one.named_children()).keys()
    ]
    hooks = [one.register_forward_hook(lambda layer, *_: ran.append(layer)) for one in leaves]
    with torch.no_grad():
        run(net)
    for hook in hooks:
        hook.remove()
    return ran[-1]


def bounds(layer: nn.Module) -> tuple[float, float]:
    """The least and the greatest value that a last layer makes; infinite, if it has weights.

    >>> bounds(nn.Tanh()), bounds(nn.Sigmoid()), bounds(nn.Linear(2, 1))
    ((-1.0, 1.0), (0.0, 1.0), (-inf, inf))
    """
    if any(True for _ in layer.parameters()):
        return -math.inf, math.inf
    ends = layer(torch.tensor([[-FAR, FAR]]))
    low, high = float(ends.min()), float(ends.max())
    return (low if low > -BOUNDED else -math.inf), (high if high < BOUNDED else math.inf)
