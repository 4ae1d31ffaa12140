"""Describe exported weights as the Hugging Face hub expects it: a config that timm reads, and a model card.

Source: https://huggingface.co/docs/hub/model-cards; timm's models/_hub.py, save_config_for_hf.
"""

import json
from pathlib import Path
from typing import Any

import torch

from imagelab.checkpoints.hub import CONFIG
from imagelab.config.schema import Node
from imagelab.metrics.table import CLASSES, TAGS
from imagelab.predictor import Predictor

README = "README.md"
TAGS_ON_HUB = {  # the hub's words for a task, by what the network predicts
    CLASSES: "image-classification",
    TAGS: "image-classification",
    "boxes": "object-detection",  # room: detection
}
OTHER = "image-regression"
MADE = {CLASSES: "probabilities", TAGS: "probabilities"}  # what the example calls predictions, if not by kind
PAGE = """---
tags:
- {tag}
library_name: {library}
---
# {title}

{architecture}, for {count} classes: {classes}.

| measured on the split `test` | |
|---|---|
{metrics}

The command, with {name}: `{command}`

## Use it

```python
{example}
```

The input is {channels} x {size} x {size} pixels, scaled to [0, 1], then normalised (mean {mean}, standard
deviation {std}).
"""
TIMM = """import timm

net = timm.create_model("hf-hub:USER/NAME", pretrained=True).eval()
logits = net(images)  # (B, {channels}, {size}, {size}), normalised as below"""
OWN = """import {name}

predictor = {name}.load("hf:USER/NAME")
{made} = predictor.files(["photo.jpg"])"""


def describe(folder: Path, predictor: Predictor, card: Node, results: Node) -> None:
    """Write config.json and README.md beside the weights.

    Args:
        folder: Folder of the weights.
        predictor: The network of the weights.
        card: The card of the weights.
        results: Content of the run's results.json.
    """
    by_timm = _timm_config(folder, predictor)
    if not by_timm:
        content = {"architecture": type(predictor.net).__name__, "label_names": predictor.task.names}
        (folder / CONFIG).write_text(json.dumps(content, indent=2), encoding="utf-8")
    (folder / README).write_text(page(predictor, card, results, by_timm=by_timm), encoding="utf-8")


def page(predictor: Predictor, card: Node, results: Node, *, by_timm: bool) -> str:
    """The model card: classes, measured metrics, how it was trained, how to use it."""
    facts = card["preprocess"]
    name = __name__.partition(".")[0]
    shown = {key: facts[key] for key in ("channels", "size", "mean", "std")}
    predicts = card.get("predicts", CLASSES)
    metrics = [f"| {key} | {value:.4f} |" for key, value in results.get("test", {}).items()]
    return PAGE.format(
        tag=TAGS_ON_HUB.get(predicts, OTHER),
        library="timm" if by_timm else name,
        title=", ".join(predictor.task.names[:3]) + (", …" if len(predictor.task.names) > 3 else ""),
        architecture=card["model"].get("name") or type(predictor.net).__name__,
        count=len(predictor.task.names),
        classes=", ".join(predictor.task.names),
        metrics="\n".join(metrics),
        name=name,
        command=results.get("command", ""),
        example=(TIMM if by_timm else OWN).format(name=name, made=MADE.get(predicts, predicts), **shown),
        **shown,
    )


def _timm_config(folder: Path, predictor: Predictor) -> bool:
    """Write the config by which timm builds the network; False if timm cannot build it, or not the same."""
    net: Any = predictor.net
    facts = predictor.preprocess
    if not hasattr(net, "pretrained_cfg"):
        return False
    import timm
    from timm.models._hub import save_config_for_hf

    measured = {
        "input_size": (facts.channels, facts.size, facts.size),
        "mean": tuple(facts.mean),
        "std": tuple(facts.std),
        "crop_pct": facts.size / facts.resize,
        "interpolation": facts.interpolation,
    }
    save_config_for_hf(
        net, str(folder / CONFIG), model_config={"label_names": predictor.task.names}, data_config=measured
    )
    images = torch.randn(2, *measured["input_size"], generator=torch.Generator().manual_seed(0))
    try:
        again = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        with torch.no_grad():
            return torch.allclose(again(images), net.eval()(images), atol=1e-4)
    except (RuntimeError, TypeError, ValueError):  # a layer was replaced: model.stem, model.norm …
        return False
