"""Run the command `export`: write a finished run to one file to deploy, verified against the run.

imagelab export run=last format=onnx
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from imagelab import launch
from imagelab.checkpoints.hub import WEIGHTS
from imagelab.config.schema import Node
from imagelab.exporting.formats import ENDINGS, HUB
from imagelab.finding import Finding, plain, taking, timed
from imagelab.problem import Problem
from imagelab.runs import files, find
from imagelab.terminal import screen

LABELS, RESULT = "labels.json", "export.json"


@dataclass(frozen=True, kw_only=True)
class Export:
    """The root keys of configs/export.yaml."""

    run: str
    format: Literal["onnx", "torch_export", "safetensors", "hub"]
    output: str | None
    checkpoint: Literal["best", "last"]
    weights: str | None
    opset: int
    images: int
    tolerance: float


def main() -> None:
    """Export a run."""
    launch.run_hydra(start, "export", Export)


def start(cfg: Node, _: Path) -> None:
    """Write the file, with labels.json and export.json beside it; nothing if it disagrees with the run."""
    from imagelab.pages.finding_table import terminal_table

    folder = find.existing(cfg["run"])
    path = wanted(cfg, folder)
    findings, card = export(cfg, folder, path)
    files.write_json(path.with_name(LABELS), card)
    files.write_json(path.with_name(RESULT), plain(findings))
    if cfg["format"] == HUB:
        describe_for_hub(path, folder, card)
    screen.say("", terminal_table("Export", findings), "")
    screen.say_written(path, after=f", {LABELS} beside it")
    screen.say(f"predict   imagelab predict run={path} source=FILE_OR_FOLDER")


def wanted(cfg: Node, folder: Path) -> Path:
    """The path of the exported file.

    Raises:
        Problem: If it cannot be written there.
    """
    if cfg["format"] == HUB:
        return new_folder(Path(cfg["output"]).expanduser() if cfg["output"] else folder / HUB) / WEIGHTS
    ending = ENDINGS[cfg["format"]]
    path = Path(cfg["output"]).expanduser() if cfg["output"] else folder / f"model{ending}"
    if path.suffix != ending:
        raise Problem(f"output: wants a name that ends in {ending} for format={cfg['format']}, got {path}")
    if not path.parent.is_dir():
        raise Problem(f"output={path} cannot be written: there is no folder {path.parent}")
    return path


def new_folder(folder: Path) -> Path:
    """Make the folder of files for the hub, if it is not there from an earlier export.

    Raises:
        Problem: It cannot be made.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise Problem(f"output={folder} cannot be written: {error.strerror or error}") from error
    return folder


def describe_for_hub(path: Path, run: Path, card: Node) -> None:
    """Write the config and the model card beside weights that have been verified."""
    from imagelab.exporting.hub import describe
    from imagelab.loading import load

    results = json.loads((run / files.RESULTS).read_text(encoding="utf-8"))
    describe(path.parent, load(path), card, results)
    screen.say(f"upload    hf upload USER/NAME {path.parent} (a command of huggingface_hub)")


def export(cfg: Node, folder: Path, path: Path) -> tuple[list[Finding], Node]:
    """Write the file once it is verified; return findings on it, and its card.

    Args:
        cfg: Config of the command.
        folder: Folder of the run.
        path: Path of the exported file.

    Raises:
        Problem: If the run has no such checkpoint or weights, the format cannot express its network, a
            package is missing, the file disagrees with the run, or it cannot be written.
    """
    from imagelab.checkpoints.content import expect_predictions
    from imagelab.evaluation.one_run import checkpoint_of
    from imagelab.exporting.formats import module
    from imagelab.exporting.verify import difference, pictures_of
    from imagelab.loading import from_checkpoint

    screen.keep(Path(os.devnull))  # after the imports, since importing Lightning takes over the screen
    content = checkpoint_of(folder, cfg["checkpoint"])
    expect_predictions(content, folder)
    predictor = from_checkpoint(content, cfg["weights"])
    card = _card(content, cfg["weights"], predictor)
    data = files.read_config(folder)["data"]
    pictures, source = pictures_of(data, content["imagelab"]["seed"], cfg["images"])
    beside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        with timed() as spent:
            form = "safetensors" if cfg["format"] == HUB else cfg["format"]
            module(form).write(beside, predictor, card, opset=cfg["opset"])
            apart = difference(beside, predictor, pictures)
        agreeing = taking(_agreement(apart, cfg, f"{len(pictures)} {source}"), spent[0])
        findings = [_file(beside, path, cfg), *_meaning(card), agreeing]
        beside.replace(path)
    except OSError as error:
        raise Problem(f"output={path} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
    return findings, card


def _card(content: Node, weights: str | None, predictor: Any) -> Node:
    from imagelab.checkpoints.card import card_of
    from imagelab.checkpoints.content import better
    from imagelab.data.signals import labels_of

    signals = labels_of(predictor.preprocess.signals)
    return card_of(content["imagelab"], weights or better(content), predictor.task, signals)


def _agreement(apart: float, cfg: Node, source: str) -> Finding:
    if not apart <= cfg["tolerance"]:  # also if it is NaN
        raise Problem(
            f"format={cfg['format']}: the exported file disagrees with the run: on {source} an output "
            f"differs by {apart:.2g}, more than tolerance={cfg['tolerance']:g}. The file is removed"
        )
    return Finding(
        name="agreement",
        status="OK",
        value=apart,
        expected=f"at most {cfg['tolerance']:g}",
        why=f"The largest difference of an output between the written file and the run, on {source}.",
        fix="",
    )


def _file(written: Path, path: Path, cfg: Node) -> Finding:
    value = {"file": str(path), "bytes": written.stat().st_size, "format": cfg["format"]}
    value |= {"opset": cfg["opset"]} if cfg["format"] == "onnx" else {}
    return Finding(name="file", status="INFO", value=value, expected="", why="", fix="")


def _meaning(card: Node) -> list[Finding]:
    return [
        Finding(name=name, status="INFO", value=card[name]["shape"], expected="", why=why, fix="")
        for name, why in (
            ("input", f"{card['input']['dtype']}, {card['input']['meaning']}; any number at a time."),
            ("signals", f"float32: {card['signals']['meaning']}." if "signals" in card else ""),
            ("output", f"{card['output']['name'].capitalize()}, by the names in labels.json."),
        )
        if name in card
    ]


if __name__ == "__main__":
    main()
