"""SAM: the step of the paper, twice the passes, and nothing that a kill or half precision would change."""

import pytest
import torch
from torch import nn

from imagelab.config.rules.combinations import problems
from imagelab.randomness import seed_step
from imagelab.training.ascent import climbed
from tests.config.rules.test_tasks import composed
from tests.fitting import built
from tests.runs_of_the_command import finish, outcome
from tests.trick.watching import SMALL, assert_same_bits, state, watched

SAM = ["trick=[sam]", "trick.sam.rho=0.5"]
PLAIN = ["optimizer=sgd", "optimizer.lr=0.1", "optimizer.weight_decay=0", "schedule=constant"]


def test_the_climb_has_the_length_rho_along_the_gradient_and_is_undone_to_the_bit():
    weights = [
        nn.Parameter(torch.tensor([1.0, 0.1])),
        nn.Parameter(torch.tensor([0.3])),
        nn.Parameter(torch.ones(2)),
    ]
    before = [weight.detach().clone() for weight in weights]
    with climbed(weights, [torch.tensor([3.0, 0.0]), torch.tensor([4.0]), None], rho=0.5):
        moves = [(weight - old).detach() for weight, old in zip(weights, before, strict=True)]
    torch.testing.assert_close(torch.cat(moves), torch.tensor([0.3, 0.0, 0.4, 0.0, 0.0]))
    assert all(torch.equal(*pair) for pair in zip(weights, before, strict=True))


def by_hand(parts, batch, rho: float, rank: int = 0) -> dict[str, torch.Tensor]:
    """The weights after one step: w - lr * gradient of the loss at w + rho * g / |g|."""
    net, loss = parts.classifier.net, nn.CrossEntropyLoss()
    weights = dict(net.named_parameters())

    def gradients() -> list[torch.Tensor]:
        seed_step(0, 0, 0, rank)
        return list(torch.autograd.grad(loss(net(batch.images), batch.targets), list(weights.values())))

    start = {name: weight.detach().clone() for name, weight in weights.items()}
    first = gradients()
    norm = torch.cat([one.flatten() for one in first]).norm()
    with torch.no_grad():
        for weight, one in zip(weights.values(), first, strict=True):
            weight += rho * one / norm
    second = gradients()
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(start[name])
    return {name: start[name] - 0.1 * one for name, one in zip(start, second, strict=True)}


@pytest.mark.parametrize("more", [[], ["trainer.on_oom=halve", "model.dropout=0.3"]])
def test_a_step_is_that_of_the_paper(more, tmp_path):
    words = [*SMALL, *PLAIN, *SAM, *more, "data.limit=32", "model.norm=none", "trainer.max_epochs=1"]
    parts = built(words, tmp_path)
    seen = []
    parts.classifier.split.inner.loss = keep(parts.classifier.split.inner.loss, seen)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert len(seen) == 2
    fresh = built(words, tmp_path / "fresh")
    fresh.classifier.net.train()
    for name, wanted in by_hand(fresh, seen[0], rho=0.5).items():
        torch.testing.assert_close(parts.classifier.net.get_parameter(name).detach(), wanted, msg=name)


@pytest.mark.slow
def test_two_processes_climb_by_their_own_batches_and_share_the_step(tmp_path):
    """m-sharpness: the step is the mean of those that each process would take alone."""
    words = [*SMALL, *PLAIN, *SAM, "data.limit=32", "data.batch_size=16", "model.norm=none"]
    words += ["trainer.max_epochs=1", "model.dropout=0.3"]
    finish([*words, "trainer=ddp_cpu", f"hydra.run.dir={tmp_path / 'two'}"], tmp_path)
    both = outcome(tmp_path / "two")
    fresh = built(words, tmp_path / "fresh")
    fresh.classifier.net.train()
    alone = []
    for rank in (0, 1):
        (batch,) = fresh.data.train_loader(epoch=0, start=0, rank=rank, ranks=2)
        alone.append(by_hand(fresh, fresh.data.prepare_batch(batch, train=True, rank=rank), 0.5, rank))
    assert both["results"]["steps"] == 1
    for name, weights in alone[0].items():
        wanted = (weights + alone[1][name]) / 2
        torch.testing.assert_close(both["weights"][f"net.{name}"], wanted, rtol=1e-4, atol=1e-6, msg=name)
        assert not torch.allclose(weights, alone[1][name])


def keep(loss, seen: list):
    def kept(begin, compute, net, batch, *, scale):
        seen.append(batch)
        return loss(begin, compute, net, batch, scale=scale)

    return kept


def test_statistics_and_accuracy_are_those_of_the_first_pass(tmp_path):
    words = [*PLAIN, "data.limit=32", "trainer.max_epochs=1"]
    plain, sam = watched(words, tmp_path / "plain"), watched([*words, *SAM], tmp_path / "sam")
    for name, buffer in plain.classifier.net.named_buffers():
        assert torch.equal(sam.classifier.net.get_buffer(name), buffer), name
    for key in ("train/loss", "train/accuracy"):
        assert sam.classifier.history[0][key] == plain.classifier.history[0][key]
    assert not torch.equal(*(next(iter(state(one).values())) for one in (plain, sam)))


def test_half_precision_climbs_too(tmp_path):
    """Autocast keeps copies of the weights, which a climb must not leave in use."""
    words = [
        *PLAIN,
        "data.limit=32",
        "trainer.max_epochs=1",
        "trainer.precision=bf16-mixed",
        "model.norm=none",
    ]
    full = watched([*words, *SAM, "trainer.precision=32-true"], tmp_path / "full")
    half = watched([*words, *SAM], tmp_path / "half")
    plain = watched(words, tmp_path / "plain")
    one, other, none = (
        torch.cat([w.flatten() for w in run.classifier.net.parameters()]) for run in (half, full, plain)
    )
    assert (one - other).norm() < 0.2 * (none - other).norm()


def test_stopped_in_an_epoch_it_goes_on_to_the_same_bits(tmp_path):
    words = [*SAM, "trick=[sam,ema]", "logger=[]", "trainer.max_epochs=2", "model.dropout=0.2"]
    whole = watched(words, tmp_path / "whole", copy_at=2)
    copy = tmp_path / "whole" / "copy.ckpt"
    resumed = watched(words, tmp_path / "resumed", go_on=copy)
    assert_same_bits(whole, resumed)
    rises = torch.load(copy, weights_only=True)["sam"]["epoch"]
    assert rises.shape == (1, 2)
    assert (rises > 0).all()


def test_what_needs_the_gradients_of_the_loss_is_refused():
    found = "\n".join(problems(composed("trick=[sam,sharpness]", "optimizer=lbfgs", "data.batch_size=full")))
    assert "trick.sam: the line search of LBFGS needs the gradients of its loss; leave it out" in found
    assert "sam and sharpness both measure sharpness; leave sharpness out" in found
