"""Initialise the weights of a network.

Source: torch.nn.init. xavier: Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html;
kaiming: He et al. 2015, https://arxiv.org/abs/1502.01852; orthogonal: Saxe et al. 2013,
https://arxiv.org/abs/1312.6120; trunc_normal, standard deviation 0.02: as the vision transformers of timm;
lsuv, in a file of its own: Mishkin & Matas 2016, https://arxiv.org/abs/1511.06422.
"""

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import init

SCHEMES: dict[str, Callable[[Tensor], object]] = {
    "xavier_uniform": init.xavier_uniform_,
    "xavier_normal": init.xavier_normal_,
    "kaiming_uniform": partial(init.kaiming_uniform_, nonlinearity="relu"),
    "kaiming_normal": partial(init.kaiming_normal_, nonlinearity="relu"),
    "orthogonal": init.orthogonal_,
    "trunc_normal": partial(init.trunc_normal_, std=0.02),
    "small": partial(init.normal_, std=0.01),
    "large": partial(init.normal_, std=1.0),
}


def init_weights(net: nn.Module, scheme: str) -> None:
    """Draw the weights of every convolution and linear layer from torch's generator; biases become 0."""
    draw = SCHEMES[scheme]
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.modules.conv._ConvNd):
            draw(layer.weight)
            if layer.bias is not None:
                init.zeros_(layer.bias)
        elif isinstance(layer, nn.MultiheadAttention) and layer.in_proj_weight is not None:
            for projection in layer.in_proj_weight.detach().chunk(3):  # query, key, value
                draw(projection)
            if layer.in_proj_bias is not None:
                init.zeros_(layer.in_proj_bias)
