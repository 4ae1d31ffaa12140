"""Find all mistakes in a composed config, first those that need no imports."""

from typing import Any

from omegaconf import DictConfig, OmegaConf

from imagelab.config import arguments
from imagelab.config.compose import plain
from imagelab.config.rules import combinations
from imagelab.config.rules.values import number_problems
from imagelab.config.schema import KNOBS, Node, Run
from imagelab.config.signatures import Signature, from_import, from_source
from imagelab.problem import Problem

MAY_CHANGE = ("data.root", "data.workers")  # when a run is resumed: they do not change its results


def problems(cfg: DictConfig | Node, root: type = Run) -> list[str]:
    """List every mistake of a config, one sentence each; imports are only tried if nothing else is wrong.

    Args:
        cfg: Config as Hydra composed it, or as plain dicts and lists.
        root: Dataclass of the root keys and their types.
    """
    node = plain(cfg)
    return quick_problems(node, root) or thorough_problems(node, root)


def quick_problems(node: Node, root: type = Run) -> list[str]:
    """Find mistakes without importing what the config names: most of them, in a fraction of a second."""
    found = arguments.mistakes(node, from_source, root=root, knobs=KNOBS)
    told = [sentence.partition(": ")[0] for sentence in found]
    more = combinations.problems(node, sound=not found) if issubclass(root, Run) else number_problems(node)
    return found + [s for s in more if not any(key.startswith(s.partition(": ")[0]) for key in told)]


def thorough_problems(node: Node, root: type = Run) -> list[str]:
    """Find mistakes that need imports: custom types, targets that do not exist, missing devices."""
    takes_run = issubclass(root, Run)
    built = root.builds(node) if takes_run else set(node)
    spared = {target for group in node.keys() - built for target in _targets(node[group])}

    def lookup(target: str) -> Signature | None:
        return from_source(target) if target in spared else from_import(target)

    found = arguments.mistakes(node, lookup, root=root, knobs=KNOBS)
    if found or not takes_run:
        return found
    # Again, since classes that are now imported declare facts that their source left open.
    found = combinations.problems(node)
    return found + (combinations.device_problems(node) if "trainer" in built else [])


def changed(cfg: Node, changes: list[str]) -> Node:
    """The config of a resumed run, with the few `key=value` that may differ from its start.

    Raises:
        Problem: If a change would make it a different run.
    """
    others = [word for word in changes if word.partition("=")[0].lstrip("+") not in MAY_CHANGE]
    if others:
        raise Problem(
            f"resume uses the run's own config; leave out {' '.join(others)} "
            f"(only {' and '.join(MAY_CHANGE)} may change)."
        )
    new = plain(OmegaConf.merge(cfg, OmegaConf.from_dotlist([word.lstrip("+") for word in changes])))
    found = quick_problems(new)
    if found:
        raise Problem("\n".join(found))
    return new


def _targets(node: Any) -> list[str]:
    """The targets that a group's choice names at any depth."""
    if isinstance(node, list):
        return [target for item in node for target in _targets(item)]
    if not isinstance(node, dict):
        return []
    own = [node["_target_"]] if isinstance(node.get("_target_"), str) else []
    return own + [target for item in node.values() for target in _targets(item)]
