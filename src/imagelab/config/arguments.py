"""Check before anything is built that every key is an argument, every value fits and nothing is missing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin, get_type_hints

from imagelab.config import menu
from imagelab.config.likely import by_likelihood
from imagelab.config.schema import Node
from imagelab.config.signatures import Signature
from imagelab.config.value_types import fits, non_finite, options, show, wanted
from imagelab.problem import nearest

Lookup = Callable[[str], Signature | None]

# Arguments that `build` fills in; a config may still set them.
FACTS = frozenset(
    {"classes", "num_classes", "in_channels", "size", "seed", "folder", "params", "loss", "batch"}
    | {"labelled", "takes", "labels", "norm"}
)
HYDRAS = frozenset({"_target_", "_partial_", "_convert_", "_recursive_", "_args_"})
MAY_BE_INFINITE = frozenset({"save_every"})
MISSING = "???"
CLASS_WEIGHTS = ("loss.weight", "loss.pos_weight")  # of losses of torch


def mistakes(cfg: Node, lookup: Lookup, *, root: type, knobs: Mapping[str, type]) -> list[str]:
    """List what is wrong with the keys and values of a config, one sentence each.

    Args:
        cfg: Config as plain dicts and lists.
        lookup: Function that returns the signature of a `_target_`, or None if it is unknown.
        root: Dataclass of the root keys; a field of type dict is a group, a dict of dicts a list group.
        knobs: Dataclass per group, with the keys that all its choices share.
    """
    hints = get_type_hints(root)
    found = [_unknown_root(key, hints, cfg) for key in cfg if key not in hints]
    for key, hint in hints.items():
        if key not in cfg or cfg[key] == MISSING:
            found.append(f"{key}: missing; set {key}=...")
        elif cfg[key] is None and type(None) in get_args(hint):
            continue  # also an optional group
        elif get_origin(hint := _without_none(hint)) is not dict:
            found += _value(key, cfg[key], hint)
        elif not isinstance(cfg[key], dict):
            found.append(f"{key}: wants a group of keys, got {show(cfg[key])}")
        elif get_origin(get_args(hint)[1]) is dict:
            for name, node in cfg[key].items():
                found += _chosen(f"{key}.{name}", node, lookup) or _arguments(
                    f"{key}.{name}", node, lookup, {}
                )
        else:
            shared = get_type_hints(knobs[key]) if key in knobs else {}
            found += _chosen(key, cfg[key], lookup) or _arguments(key, cfg[key], lookup, shared)
    return found


def _without_none(hint: Any) -> Any:
    """The type of an optional group without None; any other type unchanged."""
    groups = [one for one in get_args(hint) if get_origin(one) is dict]
    return groups[0] if groups and type(None) in get_args(hint) else hint


def _unknown_root(key: str, known: Mapping[str, Any], cfg: Node) -> str:
    if menu.choices(key):
        return f"{key}: the chosen file sets keys below {key}; start it with `# @package _global_`"
    return f"{key}: no such key{nearest(key, known) or _below(key, cfg)}"


def _below(key: str, cfg: Node) -> str:
    """Suggest the full name of a key given without its group, such as lr, if there is one."""
    found = [f"{group}.{key}" for group, node in cfg.items() if isinstance(node, dict) and key in node]
    return f"; did you mean {found[0]!r}?" if found else ""


def _chosen(path: str, node: Any, lookup: Lookup) -> list[str]:
    """Report keys that are set although no choice of their group was made."""
    group, _, name = path.partition(".")
    choices = menu.choices(group)
    if isinstance(node, dict) and node.get("_target_"):
        return []
    if not name:
        return [f"{group}: nothing is chosen; set {group}= to one of {', '.join(choices)}"]
    if name not in choices:
        return [f"{path}: no such choice{nearest(name, choices)}"]
    return [f"{path}: has keys set, but is not chosen; add {group}=[{name}]"]


def _arguments(path: str, node: Node, lookup: Lookup, knobs: Node) -> list[str]:
    """Check the keys of a node against its target's signature and the shared keys of its group."""
    try:
        signature = lookup(node["_target_"])
    except LookupError as error:
        return [f"{path}._target_: {error.args[0]}"]
    taken = signature.arguments if signature else {}
    found: list[str] = []
    for key, value in node.items():
        hint = knobs.get(key, taken[key].hint if key in taken else Any)
        if key in HYDRAS:
            continue
        if value == MISSING:
            found.append(_needed(path, key, node))
        elif key in knobs or key in taken or signature is None or _lets_through(key, signature):
            found += (
                _nested(f"{path}.{key}", value, lookup)
                if _has_target(value)
                else _value(f"{path}.{key}", value, hint)
            )
        else:
            found.append(_unknown(path, key, node, [*taken, *knobs]))
    given = FACTS | node.keys() | (set() if "_args_" not in node else taken.keys())
    needed = [key for key in knobs if key not in node]
    needed += [key for key, argument in taken.items() if argument.needed and key not in given]
    return found + [_needed(path, key, node) for key in needed]


def _lets_through(key: str, signature: Signature) -> bool:
    return signature.open and not nearest(key, signature.arguments)


def _unknown(path: str, key: str, node: Node, known: list[str]) -> str:
    group = path.split(".")[0]
    name = _name(node)
    value = node[key]
    owners = [choice for choice in menu.choices(group) if key in menu.keys(group, choice)]
    if owners:
        belongs = f"{path}.{key}: {name} has no such argument; it belongs to {group}={'|'.join(owners)}"
        needing = [choice for choice in owners if menu.value(group, choice, key) == MISSING]
        likely = by_likelihood(group, needing, key, value)
        remedies = " or ".join(f"{group}={choice} {path}.{key}={value}" for choice in likely)
        return f"{belongs}; set {remedies}" if needing else belongs
    hint = nearest(key, [k for k in known if k in node or k not in FACTS])
    return f"{path}.{key}: {name} has no such argument{hint}"


def _needed(path: str, key: str, node: Node) -> str:
    example = "DIR" if key in ("root", "folder", "dir") else key.upper()
    return f"{path}.{key}: {_name(node)} needs it; set {path}.{key}={example}"


def _nested(path: str, value: Any, lookup: Lookup) -> Iterator[str]:
    if isinstance(value, dict) and "_target_" in value:
        yield from _arguments(path, value, lookup, {})
        return
    for key, item in _items(value):
        yield from _nested(f"{path}.{key}", item, lookup)


def _has_target(value: Any) -> bool:
    return (isinstance(value, dict) and "_target_" in value) or any(
        _has_target(item) for _, item in _items(value)
    )


def _items(value: Any) -> Iterable[tuple[Any, Any]]:
    """The entries of a dict or a list; of anything else, none."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def _value(path: str, value: Any, hint: Any) -> list[str]:
    bad = non_finite(value)
    if bad is not None and not (path in MAY_BE_INFINITE and bad > 0):
        return [f"{path}: wants a finite number, got {bad}"]
    if fits(value, hint):
        return []
    if wanted(hint) == wanted(type(None)):
        balance = "; set loss=cross_entropy loss.weight=balanced" if path in CLASS_WEIGHTS else ""
        return [f"{path}: takes a tensor, which no config can hold, got {show(value)}; leave it out{balance}"]
    meant = nearest(value, options(hint)) if isinstance(value, str) else ""
    return [f"{path}: wants {wanted(hint)}, got {show(value)}{meant}"]


def _name(node: Node) -> str:
    return str(node["_target_"]).rpartition(".")[2]
