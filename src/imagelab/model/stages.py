"""Cut a network into stages, from stem to head; each is frozen, trained or regularised as a unit.

Source: timm's group_matcher for timm's networks; for all others, a rule over the tree of layers.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from torch import nn

from imagelab.model.head import last_layer

Unit = tuple[str, nn.Module]  # a layer or group of layers that is not cut, with its name in the network
TRUNK_SHARE = 0.95  # a child with this share of the weights before the head holds the stages


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a network; no parameter or layer with state belongs to two stages.

    name: "stem" for the first, "head" for the last, else the name of its first module with weights.
    parameters: Names of its parameters in the network.
    modules: Names of the modules that belong to it as a whole, in the order of the network.
    """

    name: str
    parameters: tuple[str, ...]
    modules: tuple[str, ...]


def stages(net: nn.Module) -> list[Stage]:
    """Cut a network into its stages, in order; the last one makes the logits.

    A network with nothing before its last layer has one stage, the head. If a network names its `trunk`, all
    that is outside of it is the head.
    """
    if trunk := getattr(net, "trunk", ""):
        return _over_trunk(net, str(trunk))
    places = _by_timm(net) or _by_tree(net)
    used = sorted(set(places.values()))  # a layer shared by two stages has its parameters in the first
    places = {name: used.index(place) for name, place in places.items()}
    count = len(used)
    roots = list(_roots(net, places, head=count - 1))
    return [_stage(net, place, count, places, roots) for place in range(count)]


def _over_trunk(net: nn.Module, trunk: str) -> list[Stage]:
    """The stages of a part of the network, and all that is outside of it as the head."""
    view = nn.ModuleDict({"body": net.get_submodule(trunk), "head": nn.Linear(1, 1)})

    def named(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{trunk}{name.removeprefix('body')}" for name in names if name != "head")

    *below, tail = stages(view)
    inside = [
        Stage(
            name=stage.name.removeprefix("body."),
            parameters=named(stage.parameters),
            modules=named(stage.modules if stage is not below[-1] else stage.modules + tail.modules),
        )
        for stage in below
    ]
    rest = tuple(name for name, _ in net.named_parameters() if not name.startswith(f"{trunk}."))
    return [*inside, Stage(name="head", parameters=rest, modules=tuple(_outside(net, trunk)))]


def _outside(net: nn.Module, path: str) -> Iterator[str]:
    """The largest modules that do not hold the one at a path."""
    around, _, own = path.rpartition(".")
    if around:
        yield from _outside(net, around)
    for name, _ in net.get_submodule(around).named_children():
        if name != own:
            yield _join(around, name)


def weight_layers(layer: nn.Module) -> int:
    """The number of convolutions and linear layers in a layer, itself included."""
    return sum(isinstance(one, nn.Linear | nn.modules.conv._ConvNd) for one in layer.modules())


def _stage(
    net: nn.Module, place: int, count: int, places: Mapping[str, int], roots: list[tuple[str, int]]
) -> Stage:
    modules = tuple(name for name, where in roots if where == place)
    weighty = [name for name in modules if weight_layers(net.get_submodule(name))]
    own = [*weighty, *modules, str(place)][0]
    name = "neck" if own == "head" else own
    if place == count - 1:
        name = "head"
    elif place == 0:
        name = "stem"
    parameters = tuple(parameter for parameter, where in places.items() if where == place)
    return Stage(name=name, parameters=parameters, modules=modules)


def _by_timm(net: nn.Module) -> dict[str, int]:
    """Parameter -> index of its stage, from timm's group_matcher; empty if that does not help."""
    matcher = getattr(net, "group_matcher", None)
    if matcher is None:
        return {}
    from timm.models import group_parameters

    try:
        groups = group_parameters(net, cast(Callable[..., object], matcher)(coarse=True))
    except AssertionError:  # RDNet has no coarse groups
        return {}
    places = {name: place for place, names in enumerate(groups.values()) for name in names}
    ordered = {name: places[name] for name, _ in net.named_parameters()}
    head = ordered.get(f"{last_layer(net)[0]}.weight")
    return ordered if len(groups) > 1 and head == len(groups) - 1 else {}


def _by_tree(net: nn.Module) -> dict[str, int]:
    """Parameter -> index of its stage: each group of layers is one; what precedes the first is the stem.

    A norm belongs to the stage before it, a parameter outside all children to the stem.
    """
    starts = _starts(list(_units(net, "", last_layer(net)[0])))
    count = max(starts.values(), default=-1) + 1
    containers = {""} | {name[:dot] for name in starts for dot in range(len(name)) if name[dot] == "."}
    places = {}
    for name, _ in net.named_parameters():
        inside = [place for start, place in starts.items() if name.startswith(f"{start}.")]
        outside = 0 if name.rpartition(".")[0] in containers else count
        places[name] = inside[0] if inside else outside
    return places


def _starts(units: list[Unit]) -> dict[str, int]:
    """Unit -> index of its stage; empty if nothing has parameters."""
    groups = any(weight_layers(layer) > 1 for _, layer in units)
    pools = any(_is_pool(layer) for _, layer in units)
    found: dict[str, int] = {}
    place = 0
    any_before = False
    group_before = False
    pool_before = False
    for name, layer in units:
        weights = weight_layers(layer)
        begins = weights > 1 or group_before if groups else pool_before or not pools
        if weights and any_before and begins:
            place += 1
        any_before, group_before = any_before or weights > 0, group_before or weights > 1
        pool_before = _is_pool(layer) or (pool_before and not weights)
        found[name] = place
    return found if any(_size(layer) for _, layer in units) else {}


def _units(module: nn.Module, path: str, last: str) -> Iterator[Unit]:
    """The units before the head, cut where the stages meet."""
    children = [(_join(path, name), child) for name, child in module.named_children()]
    heads = [place for place, (name, _) in enumerate(children) if f"{last}.".startswith(f"{name}.")]
    body = children[: heads[0]] if heads else children
    if heads and not any(weight_layers(child) for _, child in body):  # only a wrapper around the network
        yield from body
        name, child = children[heads[0]]
        if name != last:
            yield from _units(child, name, last)
        return
    trunk = _trunk(body)
    for name, child in body:
        yield from _units(child, name, last) if name == trunk else [(name, child)]


def _trunk(body: list[Unit]) -> str | None:
    """Name of the one child that holds the stages; None if the children are the stages."""
    groups = [(_size(child), name, child) for name, child in body if weight_layers(child) > 1]
    if not groups:
        return None
    size, name, child = max(groups, key=lambda group: group[0])
    alone = len(groups) == 1 or size >= TRUNK_SHARE * sum(_size(child) for _, child in body)
    parts = sum(weight_layers(part) > 0 for part in child.children())
    return name if alone and parts > 0 else None


def _roots(net: nn.Module, places: Mapping[str, int], head: int) -> Iterator[tuple[str, int]]:
    """The largest modules within one stage; a module without parameters joins the stage before it.

    Modules right before the head, such as its pooling and dropout, join the head.
    """
    waiting: list[str] = []
    before: tuple[str, int] | None = None
    for name, within in [*_uncut(net, "", places), ("", head)]:
        if within is None:
            waiting.append(name)
            continue
        for one in waiting:
            joins = before and (within != head or _beside(before[0], one))
            yield one, before[1] if before and joins else within
        waiting = []
        before = (name, within)
        if name:
            yield name, within


def _beside(one: str, other: str) -> bool:
    container = one.rpartition(".")[0]
    return bool(container) and container == other.rpartition(".")[0]


def _uncut(module: nn.Module, path: str, places: Mapping[str, int]) -> Iterator[tuple[str, int | None]]:
    for part, child in module.named_children():
        name = _join(path, part)
        within = {
            places[_join(name, own)] for own, _ in child.named_parameters() if _join(name, own) in places
        }
        if len(within) > 1:
            yield from _uncut(child, name, places)
        else:
            yield name, next(iter(within), None)


def _size(layer: nn.Module) -> int:
    return sum(parameter.numel() for parameter in layer.parameters())


def _is_pool(layer: nn.Module) -> bool:
    return "Pool" in type(layer).__name__ and not weight_layers(layer)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
