"""Drop residual branches in training, deeper ones more often, independently for each image.

Source: Huang et al. 2016, https://arxiv.org/abs/1603.09382, equation 4.
"""

import re
from collections.abc import Iterator
from functools import partial

from torch import Tensor, nn

from imagelab.problem import Problem

# Names of the drop layers of timm and torchvision; at rate 0 they are an Identity or None.
PLACE = re.compile(r"(\w+_)?drop_path\d*|stochastic_(depth|dropout)")
# For blocks without one, by class: the last modules of their branches.
ENDS = {
    "torchvision.models.resnet.BasicBlock": ("bn2",),
    "torchvision.models.resnet.Bottleneck": ("bn3",),
    "torchvision.models.mobilenetv2.InvertedResidual": ("conv",),
    "torchvision.models.mobilenetv3.InvertedResidual": ("block",),
    "torchvision.models.mnasnet._InvertedResidual": ("layers",),
    "torchvision.models.regnet.ResBottleneckBlock": ("f",),
    "torchvision.models.vision_transformer.EncoderBlock": ("dropout", "mlp"),
    f"{__package__}.resnet9.Residual": ("branch",),
}
# Attributes that are False or None in a block without a residual sum, which has nothing to drop.
SKIPS = ("has_skip", "use_shortcut", "use_res_connect", "apply_residual", "identity")


def set_stochastic_depth(net: nn.Module, rate: float) -> None:
    """Drop the branches of residual block l of L with probability rate * l / L; survivors are scaled up.

    Args:
        net: Network, changed in place.
        rate: Probability for the last block, in [0, 1).

    Raises:
        Problem: The network has no residual block of a known kind.
    """
    blocks = [block for block in net.modules() if _is_residual(block) and (_places(block) or _ends(block))]
    if not blocks:
        raise Problem(
            f"model.stochastic_depth drops residual branches, and {type(net).__name__} has none of a known "
            "kind; set model.stochastic_depth=null, or use a residual network such as model=resnet9."
        )
    for place, block in enumerate(blocks, 1):
        _set_rate(block, rate * place / len(blocks))


def _set_rate(block: nn.Module, rate: float) -> None:
    places = _places(block)
    for name in places:
        setattr(block, name, _drop_layer(name, rate))
    if not places:
        for end in _ends(block):
            block.get_submodule(end).register_forward_hook(partial(_drop_images, block=block, rate=rate))


def _drop_layer(place: str, rate: float) -> nn.Module:
    if "drop_path" in place:
        from timm.layers.drop import DropPath

        return DropPath(rate)
    from torchvision.ops import StochasticDepth

    return StochasticDepth(rate, mode="row")


def _drop_images(_: nn.Module, given: object, branch: Tensor, *, block: nn.Module, rate: float) -> Tensor:
    from torchvision.ops import stochastic_depth

    return stochastic_depth(branch, rate, "row", block.training)  # the layer may be a norm at rest


def _is_residual(block: nn.Module) -> bool:
    skips = [getattr(block, name, True) for name in SKIPS]
    return not any(skip is None or skip is False for skip in skips) and not getattr(block, "no_skip", False)


def _places(block: nn.Module) -> list[str]:
    kinds = ("Identity", "DropPath", "StochasticDepth", "NoneType")
    return [name for name, held in _held(block) if PLACE.fullmatch(name) and type(held).__name__ in kinds]


def _held(block: nn.Module) -> Iterator[tuple[str, object]]:
    yield from vars(block).items()
    yield from block._modules.items()


def _ends(block: nn.Module) -> tuple[str, ...]:
    kind = type(block)
    return ENDS.get(f"{kind.__module__}.{kind.__qualname__}", ())
