"""A network sees numbers beside its images, and stays the same network."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from imagelab.model.signals import join_signals
from imagelab.model.small_cnn import SmallCNN
from imagelab.model.weights import comparable, copy_weights


def joined(labels=("age",), seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    net = SmallCNN(num_classes=2, in_channels=1, widths=[8, 16], kernel_size=3)
    join_signals(net, [*labels], channels=1)
    return net


def stripes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images of a stripe, a number, and a label that only both together tell."""
    draw = torch.Generator().manual_seed(seed)
    images = torch.rand(count, 1, 8, 8, generator=draw) * 0.5
    across, old = (torch.randint(2, (count,), generator=draw) for _ in range(2))
    for image, place, flat in zip(
        images, torch.randint(8, (count,), generator=draw), across.bool(), strict=True
    ):
        rows = image[0] if flat else image[0].T
        rows[place] = 2
    return images, (2.0 * old - 1)[:, None], across ^ old


def with_planes(images: torch.Tensor, signals: torch.Tensor) -> torch.Tensor:
    return torch.cat([images, signals[:, :, None, None].expand(-1, -1, *images.shape[2:])], dim=1)


def learnt(image: bool, number: bool) -> float:
    """The accuracy on other images after a training that may see the image, the number, or both."""
    net = joined()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
    seen = [
        with_planes(pixels * image, signals * number)
        for pixels, signals, _ in (stripes(512, 0), stripes(512, 1))
    ]
    labels = [stripes(512, seed)[2] for seed in (0, 1)]
    for step in range(60):
        part = torch.arange(64 * step, 64 * (step + 1)) % 512
        functional.cross_entropy(net(seen[0][part]), labels[0][part]).backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        return float((net.eval()(seen[1]).argmax(dim=1) == labels[1]).float().mean())


def test_what_only_image_and_number_tell_together_is_learnt_from_both_and_from_neither_alone() -> None:
    assert learnt(image=True, number=True) > 0.95
    assert abs(learnt(image=True, number=False) - 0.5) < 0.1
    assert abs(learnt(image=False, number=True) - 0.5) < 0.1


def test_at_first_it_is_the_network_without_numbers_and_gradients_reach_them() -> None:
    net = joined(["age", "site=a"]).eval()
    images, numbers = torch.rand(4, 1, 8, 8), torch.randn(4, 2, requires_grad=True)
    seen = with_planes(images, numbers)
    assert torch.allclose(net(seen), net(images), atol=1e-6)
    nn.init.normal_(dict(net.named_parameters())["head.signal_film"], std=0.1)
    net(seen).square().sum().backward()
    assert (numbers.grad.abs() > 0).all()
    assert not torch.allclose(net(seen), net(images), atol=1e-3)


def test_blended_images_see_the_blend_of_their_numbers_wherever_these_lie_in_the_plane() -> None:
    net = joined().eval()
    nn.init.normal_(dict(net.named_parameters())["head.signal_film"], std=0.1)
    images = torch.zeros(1, 1, 8, 8)
    cut = with_planes(images, torch.tensor([[1.0]]))
    cut[:, 1, :, :2] = -3.0  # a quarter of another image's plane
    assert torch.allclose(net(cut), net(with_planes(images, torch.tensor([[0.0]]))), atol=1e-6)


def test_the_other_weights_are_those_of_the_network_without_numbers() -> None:
    plain, beside = joined(()).state_dict(), joined().state_dict()
    assert {name.rpartition(".")[2] for name in beside.keys() - plain.keys()} == {
        "signal_hidden",
        "signal_bias",
        "signal_film",
    }
    assert all(torch.equal(plain[name], beside[name]) for name in plain)


@pytest.mark.parametrize(
    ("there", "here", "kept"),
    [(["age"], ["age"], True), (["age"], ["sex"], False), ([], ["age"], False), (["age"], [], False)],
)
def test_weights_of_another_run_fit_with_the_same_numbers_or_without(there, here, kept) -> None:
    first, second = joined(there, seed=1), joined(here, seed=2)
    copy_weights(second, comparable(first.state_dict()), "run", signals=there)
    image = torch.rand(2, 1, 8, 8)
    assert torch.allclose(first.eval()(image), second.eval()(image))
    pairs = zip(first.state_dict().items(), second.state_dict().values(), strict=False)
    assert not kept or all(torch.equal(one, other) for (_, one), other in pairs)
    hidden = [
        state for state in (first.state_dict(), second.state_dict()) if any("signal" in k for k in state)
    ]
    if len(hidden) == 2:
        (one,), (other,) = ([v for k, v in state.items() if k.endswith("signal_hidden")] for state in hidden)
        assert torch.equal(one, other) == kept
