"""Read and write the plain files of a run's folder; each is written whole or not at all."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from imagelab.config import menu
from imagelab.config.schema import KNOBS
from imagelab.config.trust import refuse_untrusted
from imagelab.problem import Problem

CONFIG, RESULTS = "config.yaml", "results.json"


def write_config(cfg: dict[str, Any], folder: Path) -> None:
    """Write the whole config of a run into its folder."""
    write_text(folder / CONFIG, OmegaConf.to_yaml(OmegaConf.create(cfg)))


def read_config(folder: Path) -> dict[str, Any]:
    """Read the config of a run, plain data.

    Raises:
        Problem: It cannot be read, or names something untrusted.
    """
    try:
        cfg = OmegaConf.to_container(OmegaConf.load(folder / CONFIG))
    except (OSError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise Problem(f"{folder / CONFIG} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(cfg, dict) or not cfg:
        raise Problem(f"{folder / CONFIG} holds no config: the run was killed before it began.")
    refuse_untrusted(cfg, folder / CONFIG)
    return completed({str(key): value for key, value in cfg.items()})


def completed(cfg: dict[str, Any]) -> dict[str, Any]:
    """The config of a run of before a key of its data set, or a shared key, was added, with today's value."""
    cfg = cfg | {"data": _of_data(cfg["data"]) | cfg["data"]} if "data" in cfg else cfg
    missing = {
        group: {field.name for field in fields(knobs)} - cfg[group].keys()
        for group, knobs in KNOBS.items()
        if group in cfg and isinstance(cfg[group], dict)
    }
    if not any(missing.values()):
        return cfg
    today = yaml.safe_load((menu.folder() / "train.yaml").read_text(encoding="utf-8"))
    return cfg | {
        group: {key: today[group][key] for key in keys} | cfg[group] for group, keys in missing.items()
    }


def _of_data(node: dict[str, Any]) -> dict[str, Any]:
    """The keys, with their values, of the choice of a data set that builds what a node names."""
    choices = [menu.load(menu.folder() / "data" / f"{name}.yaml") for name in menu.choices("data")]
    return next((one for one in choices if one["_target_"] == node.get("_target_")), {})


def write_json(path: Path, content: dict[str, Any] | list[dict[str, Any]]) -> None:
    """Write a JSON file whole or not at all; non-finite numbers become null."""
    write_text(path, json.dumps(_plain(content), indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all; names of files that are not UTF-8 keep their bytes."""
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text, encoding="utf-8", errors="surrogateescape")
    beside.replace(path)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy's numbers and arrays, torch's tensors
        return _plain(value.tolist())
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return (
        None
        if (isinstance(value, float) and value in (float("inf"), float("-inf"))) or value != value
        else value
    )
