# room: generators
"""Measure the generator of a run: on pixels, or on the features of a network that judges its images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from imagelab import loading
from imagelab.build import build_task
from imagelab.checkpoints.content import better
from imagelab.config.facts import said_by, says
from imagelab.config.schema import Node
from imagelab.contracts import Inputs
from imagelab.evaluation.one_run import checkpoint_of, data_of, device_of, here
from imagelab.evaluation.outcome import Outcome
from imagelab.evaluation.shown import metrics_table
from imagelab.metrics.generated import MOST, generated_metrics
from imagelab.metrics.table import CLASSES
from imagelab.predictor import Predictor, batch_of
from imagelab.problem import Problem
from imagelab.randomness import stream
from imagelab.runs import find
from imagelab.runs.files import read_config

BATCH = 256  # images at once
PREDICTING = ("tta", "person", "predictions")  # keys of evaluate that need a network that predicts


def generates(folder: Path) -> bool:
    """Whether a run trained a generator."""
    return says(read_config(folder)["task"]).generates


def of_generator(cfg: Node, folder: Path, checkpoint: str) -> Outcome:
    """Compare as many generated images as a split has, each of the class of a real one, with these.

    Args:
        cfg: Config of the command.
        folder: Folder of the run.
        checkpoint: best, last, or the name of another checkpoint.

    Raises:
        Problem: A key needs predictions, or there is no such checkpoint, split, weights or judge.
    """
    for key in PREDICTING:
        if cfg[key]:
            raise Problem(
                f"{key}: run={folder} makes images and predicts nothing; leave it out, or set judge=RUN"
            )
    judge = judge_of(cfg["judge"]) if cfg["judge"] else None
    content = checkpoint_of(folder, checkpoint)
    file = folder / "checkpoints" / f"{checkpoint}.ckpt"
    own = here(read_config(folder), cfg["root"])
    data = data_of(own, content["imagelab"], cfg["split"])
    device = device_of(own["trainer"])
    pair: Any = loading.load_generator(file, cfg["weights"]).net.to(device)
    asked = {"run": str(folder), "checkpoint": checkpoint, "split": cfg["split"]}
    asked |= {"weights": cfg["weights"] or better(content), "tta": None, "judge": cfg["judge"]}
    task: Any = build_task(own, data, ranks=1)
    task.eval()
    seen = list(_seen(task, pair, data, cfg["split"], device))
    outputs, labels = (torch.cat([part[k] for part in seen]) for k in (0, 1))
    metrics = {name: float(value) for name, value in task.metrics(outputs, labels).items()}
    found: Node = {"features": "pixels, averaged to 8 x 8", "metrics": metrics}
    if judge:
        found |= _judged(judge, data, seen, labels, conditional=pair.generator.classes is not None)
        found |= {
            "features": f"input of the last layer of {cfg['judge']}",
            "metrics": metrics | found["metrics"],
        }
    found["discriminator"] = _scores(pair, task, data, device, metrics)
    return Outcome(asked | found, None, [metrics_table(asked | found), *_sentences(found)])


def judge_of(name: str) -> Predictor:
    """The network whose features are compared: a run, a .safetensors file, one of a hub, or `weights`.

    Raises:
        Problem: There is none, or it predicts nothing.
    """
    return loading.load(find.network(name))


@torch.no_grad()
def _seen(
    task: Any, pair: Any, data: Any, split: str, device: torch.device
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Outputs, labels, and pixels of real and generated images, (B, C, H, W) uint8, batch by batch."""
    for batch in _batches(data, split, np.arange(data.counts[split]), device):
        outputs, labels = task.outputs(pair, batch)
        pixels = [data.preprocess.denormalise(one).cpu() for one in (batch.images, task.made(pair, batch))]
        yield outputs.cpu(), labels.cpu(), pixels[0], pixels[1]


def _batches(data: Any, split: str, index: np.ndarray, device: torch.device) -> Iterator[Inputs]:
    """The images of a split at these places, not augmented."""
    for part in np.array_split(index, -(-len(index) // BATCH)):
        batch = data.prepare_batch(data.plain(split, part), train=False, rank=0)
        yield Inputs(*(one.to(device) for one in batch))


def _judged(judge: Predictor, data: Any, seen: list[Any], labels: Tensor, *, conditional: bool) -> Node:
    """Metrics of features; and how often a classifier finds the class of a real and that asked for."""
    real, fake = (_features(judge, [image for part in seen for image in part[k]]) for k in (2, 3))
    found: Node = {"metrics": {k: float(v) for k, v in generated_metrics(real[1], fake[1], labels).items()}}
    if not conditional or said_by(judge.task).predicts != CLASSES or set(judge.classes) != set(data.classes):
        return found
    order = torch.tensor([judge.classes.index(name) for name in data.classes])[labels]
    right = [judge.task.decisions(one[0]) == order for one in (real, fake)]
    there = [(name, right[1][labels == k].float()) for k, name in enumerate(data.classes)]
    by_class = {name: float(mine.mean()) for name, mine in there if len(mine)}
    return found | {
        "judged": {
            "real": float(right[0].float().mean()),
            "generated": float(right[1].float().mean()),
            "generated_by_class": by_class,
        }
    }


def _features(judge: Predictor, images: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Predictions (N, K) and features (N, F) of images (C, H, W) uint8."""
    parts = []
    for start in range(0, len(images), BATCH):
        pictures = [_picture(image) for image in images[start : start + BATCH]]
        parts.append(judge.with_features(batch_of([judge.prepared(one) for one in pictures])))
    predictions, features = (np.concatenate(one) for one in zip(*parts, strict=True))
    return torch.from_numpy(predictions), torch.from_numpy(features)


def _picture(image: Tensor) -> np.ndarray:
    pixels = image.permute(1, 2, 0).numpy()
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


@torch.no_grad()
def _scores(pair: Any, task: Any, data: Any, device: torch.device, metrics: Node) -> Node:
    """Mean scores of the discriminator on training images, images of the split and generated ones."""
    index = stream(data.seed, "judged").permutation(data.counts["train"])[:MOST]
    scores = [pair(one.images, one.labels).cpu() for one in _batches(data, "train", index, device)]
    train = float(task.realness(torch.cat(scores).float()).mean())
    return {"training": train, "held_out": metrics["score_real"], "generated": metrics["score_fake"]}


def _sentences(found: Node) -> list[str]:
    scores = found["discriminator"]
    said = [
        f"Compared by {found['features']}. "
        f"The discriminator scores training images {scores['training']:.2f}, "
        f"other real images {scores['held_out']:.2f}, generated ones {scores['generated']:.2f}."
    ]
    if "judged" in found:
        judged = found["judged"]
        worst = min(judged["generated_by_class"], key=judged["generated_by_class"].__getitem__)
        said.append(
            f"The judge finds the requested class in {judged['generated']:.1%} of the generated images "
            f"(least in {worst}: {judged['generated_by_class'][worst]:.1%}), "
            f"and that of {judged['real']:.1%} of the real ones."
        )
    return said
