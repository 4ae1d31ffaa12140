"""SimCLR's loss by its formula; what it sees, and what its metrics do not depend on."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import multiprocessing, nn
from torch.nn.functional import cosine_similarity

from imagelab.contracts import Inputs
from imagelab.data.image_data import ImageData
from imagelab.task.simclr import SimCLR, nt_xent
from tests.fitting import built, fitted

SHORT = ["task=simclr", "trainer=cpu", "augment=[translate,rotate]", "data.limit=96", "data.batch_size=32"]


def simclr(**changes):
    return SimCLR(**{"temperature": 0.2, "dim": 8, "batch": 16} | changes)


def views(count: int, dim: int) -> torch.Tensor:
    return torch.randn(2, count, dim, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(("count", "temperature"), [(2, 1.0), (5, 0.1), (16, 0.5)])
def test_the_loss_is_the_mean_over_all_pairs_of_the_paper(count, temperature):
    first, second = views(count, 6)
    both, losses = [*first, *second], []
    for i, view in enumerate(both):
        likeness = [math.exp(cosine_similarity(view, other, dim=0) / temperature) for other in both]
        partner = likeness[(i + count) % (2 * count)]
        losses.append(-math.log(partner / (sum(likeness) - likeness[i])))
    assert float(nt_xent(first, second, temperature)) == pytest.approx(sum(losses) / len(losses), rel=1e-4)


def test_equal_views_of_unlike_images_have_a_lower_loss_than_swapped_ones():
    first = torch.eye(4)
    assert nt_xent(first, first, 0.2) < 0.05 < 3 < nt_xent(first, first.roll(1, 0), 0.2)


def test_the_metrics_do_not_depend_on_the_order_in_which_the_images_come():
    outputs = torch.cat([*views(40, 8)], dim=1)
    places = torch.arange(40)
    shuffled = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    whole = simclr().metrics(outputs, places)["loss"]
    torch.testing.assert_close(simclr().metrics(outputs[shuffled], places[shuffled])["loss"], whole)


def test_a_split_is_compared_in_groups_as_large_as_a_batch():
    first, second = views(40, 8)
    outputs, places = torch.cat([first, second], dim=1), torch.arange(40)
    spread = torch.cat([places[0::3], places[1::3], places[2::3], places[0::3]])[:48].split(16)
    expected = sum(nt_xent(first[group], second[group], 0.2) for group in spread) / 3
    torch.testing.assert_close(simclr().metrics(outputs, places)["loss"], expected)
    alone = simclr(batch=64).metrics(outputs, places)["loss"]
    torch.testing.assert_close(alone, nt_xent(first, second, 0.2))


def test_the_projection_takes_the_place_of_the_last_layer(tmp_path):
    classifier = built(SHORT, tmp_path).classifier
    head, plain = classifier.net.head, built(["trainer=cpu"], tmp_path / "plain").classifier.net
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU, nn.Linear]
    assert classifier(torch.zeros(3, 1, 8, 8)).shape == (3, 128)
    body = {name for name in plain.state_dict() if not name.startswith("head.")}
    assert {name for name in classifier.net.state_dict() if not name.startswith("head.")} == body


def test_dropout_before_the_last_layer_stays_before_the_projection(tmp_path):
    net = built([*SHORT, "model.dropout=0.9"], tmp_path).classifier.net.train()
    seen = []
    net.head[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    net(torch.rand(16, 1, 8, 8))
    assert 0.85 < (seen[0] == 0).float().mean() <= 1


def test_val_is_judged_by_the_same_views_in_every_epoch(tmp_path):
    parts = fitted([*SHORT, "trainer.max_epochs=2", "optimizer.lr=1e-12"], tmp_path)
    first, second = (row["val/loss"] for row in parts.classifier.history)
    assert first == pytest.approx(second, rel=0.05)  # but for the statistics of BatchNorm
    other = built([*SHORT, "data.batch_size=9"], tmp_path / "other").data
    whole, small = (first_views(data) for data in (parts.data, other))
    assert torch.equal(whole, small)
    assert not torch.equal(whole, first_views(parts.data, place=1))


def first_views(data: ImageData, place: int = 0) -> torch.Tensor:
    """One view of each val image."""
    batches = data.eval_loader("val", rank=0, ranks=1)
    shown = [data.prepare_batch(batch, train=False, rank=0).images.chunk(2)[place] for batch in batches]
    return torch.cat(shown)


def _rank(rank: int, file: str, images: torch.Tensor, net: nn.Linear, found) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    first, second = images
    mine = torch.cat([first[rank::2], second[rank::2]])
    loss = simclr().loss(net, SimpleNamespace(images=mine))  # pyright: ignore[reportArgumentType]
    loss.backward()
    assert net.weight.grad is not None
    found[rank] = (float(loss), net.weight.grad.numpy())
    torch.distributed.destroy_process_group()


def test_two_processes_compare_the_images_of_both(tmp_path):
    images, net = views(8, 5), nn.Linear(5, 8)
    whole = simclr().loss(net, Inputs(torch.cat([*images]), *[torch.zeros(16, dtype=torch.int64)] * 3))
    whole.backward()
    found = multiprocessing.Manager().dict()
    arguments = (str(tmp_path / "meet"), images, nn.Linear(5, 8), found)
    arguments[2].load_state_dict(net.state_dict())
    multiprocessing.start_processes(_rank, arguments, nprocs=2, start_method="fork")
    assert [found[rank][0] for rank in (0, 1)] == pytest.approx([float(whole)] * 2, rel=1e-5)
    mean = (found[0][1] + found[1][1]) / 2  # what DDP makes of the ranks' gradients
    assert net.weight.grad is not None
    np.testing.assert_allclose(mean, net.weight.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_in_half_precision_the_cosines_are_whole():
    first, second = views(16, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = nt_xent(first, second, 0.05)
    torch.testing.assert_close(half, nt_xent(first, second, 0.05))


def test_both_views_of_an_image_are_kept():
    task = simclr(dim=8)
    batch = Inputs(torch.randn(2 * 3, 8), torch.zeros(6), torch.zeros(6), torch.arange(6))
    assert task.outputs(lambda images: images, batch)[0].shape == (3, task.kept) == (3, 16)
