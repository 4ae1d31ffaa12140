"""Capture the input of a layer of a network, such as the features before the last layer."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from imagelab.model.head import last_layer


def with_features(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs and features of preprocessed images.

    Args:
        net: Network.
        images: Preprocessed images, (B, C, H, W) float.

    Returns:
        Outputs (B, K), and features (B, F), which are averaged over places if there are several.
    """
    name, layer = last_layer(net)
    with capturing(net, name) as seen:
        outputs = net(images)
    found = seen.pop()
    if isinstance(layer, nn.Linear):
        return outputs, found.flatten(1, -2).mean(dim=1) if found.ndim > 2 else found
    return outputs, found.mean(dim=(2, 3))


@contextmanager
def capturing(net: nn.Module, layer: str) -> Iterator[list[Tensor]]:
    """Collect the input of a layer whenever the network runs, in evaluation mode and not compiled."""
    seen: list[Tensor] = []
    trains = {one: one.training for one in net.modules()}
    compiled = net._compiled_call_impl
    net._compiled_call_impl = None  # a compiled network would keep the hook
    hook = net.get_submodule(layer).register_forward_pre_hook(
        lambda _, inputs: seen.append(inputs[0].clone()), prepend=True
    )
    try:
        net.eval()
        yield seen
    finally:
        hook.remove()
        net._compiled_call_impl = compiled
        for one, training in trains.items():
            one.training = training
