"""Decide which parameters of a network are weights; all others are biases, scales, embeddings and tables.

Weight decay, penalties, DropConnect, Muon, LARS and LAMB all ask here.
"""

from torch import nn

NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.RMSNorm,
)
LAYERS = (nn.Linear, nn.modules.conv._ConvNd)


def weight_names(net: nn.Module) -> set[str]:
    """Names of the weights: of linear layers, convolutions and attention projections.

    A layer that is neither of these has weights if they are called so and have two sides or more, as those of
    `nn.MultiheadAttention`. The others are not weights: norms, biases, position and relative position tables,
    class tokens, temperatures, and one scale per channel of any shape, such as (C, 1, 1).

    >>> sorted(weight_names(nn.MultiheadAttention(4, 2)))
    ['in_proj_weight', 'out_proj.weight']
    """
    return {
        f"{prefix}.{own}" if prefix else own
        for prefix, layer in net.named_modules()
        for own, parameter in layer.named_parameters(recurse=False)
        if _is_weight(prefix, layer, own, parameter)
    }


def _is_weight(prefix: str, layer: nn.Module, own: str, parameter: nn.Parameter) -> bool:
    if isinstance(layer, LAYERS):  # a convolution of one value per channel, (C, 1, 1, 1), is a scale
        return own.startswith("weight") and parameter.shape[1:].numel() > 1
    named = "weight" in own or prefix.endswith("parametrizations.weight")  # as of spectral_norm
    matrix = sum(side > 1 for side in parameter.shape) > 1
    return named and matrix and not isinstance(layer, (*NORMS, nn.Embedding))
