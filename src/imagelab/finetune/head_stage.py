"""Cut a network into stages so that the last one is nothing but the layer that makes the logits.

Networks may have several pretrained layers after their trunk, such as the hidden ones of VGG's classifier.
"""

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from imagelab.model.head import last_layer
from imagelab.model.stages import Stage, stages, weight_layers


def tuned_stages(net: nn.Module) -> list[Stage]:
    """The stages of a network from stem to head, the head cut off from the layers before it.

    Pretrained layers between the trunk and the head are a stage of their own; if they are only norms, they
    join the stage before. Layers without parameters right before the head, such as dropout, stay with it.
    """
    *body, tail = stages(net)
    if hasattr(net, "trunk"):
        return [*body, tail]
    heads = _head_names(net)
    own = tuple(name for name in tail.parameters if _within(name, heads))
    between = tuple(name for name in tail.parameters if name not in own)
    if not between or not own:
        return [*body, tail]
    modules = [part for root in tail.modules for part in _opened(net.get_submodule(root), root, own)]
    last = max(place for place, module in enumerate(modules) if _holds(module, between))
    before = tuple(module for module in modules[: last + 1] if not _holds(module, own))
    head = Stage(
        name="head", parameters=own, modules=tuple(module for module in modules if module not in before)
    )
    if weighty := [name for name in before if weight_layers(net.get_submodule(name))]:
        return [*body, Stage(name=weighty[0], parameters=between, modules=before), head]
    if not body:
        return [tail]
    *lower, top = body
    joined = replace(top, parameters=top.parameters + between, modules=top.modules + before)
    return [*lower, joined, head]


def _head_names(net: nn.Module) -> list[str]:
    """The layers that make the logits: the task's own head, or the last layer, or timm's several."""
    replaced = [name for name, layer in net.named_modules() if "replaces_head" in vars(layer)]
    name, last = last_layer(net)
    if replaced:
        return replaced
    given = getattr(net, "get_classifier", list)()
    found = [given] if isinstance(given, nn.Module) else given
    several = {id(one) for module in found for one in module.modules()}
    names = [
        name
        for name, layer in net.named_modules()
        if isinstance(layer, type(last)) and id(layer) in several and len(layer.weight) == len(last.weight)
    ]
    return [*names, name]


def _opened(module: nn.Module, path: str, own: tuple[str, ...]) -> Iterator[str]:
    inside = {f"{path}.{name}" in own for name, _ in module.named_parameters()}
    if len(inside) < 2:
        yield path
        return
    for name, child in module.named_children():
        yield from _opened(child, f"{path}.{name}", own)


def _holds(module: str, parameters: tuple[str, ...]) -> bool:
    return any(_within(name, [module]) for name in parameters)


def _within(parameter: str, modules: list[str]) -> bool:
    return any(parameter.startswith(f"{module}.") for module in modules)
