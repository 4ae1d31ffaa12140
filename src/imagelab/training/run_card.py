"""Describe a run as plain data, stored in its checkpoints so that they can be used by themselves."""

from zlib import crc32

import numpy as np

from imagelab.config.facts import said_by
from imagelab.config.rules.tasks import task_name
from imagelab.config.schema import Node
from imagelab.data.image_data import ImageData
from imagelab.data.reader import reader_of


def card_of_run(cfg: Node, data: ImageData) -> Node:
    """Classes, preprocessing, network and task of a run, and a fingerprint of its data to detect changes."""
    return {
        "classes": data.classes,
        "counts": data.counts,
        "labels": label_marks(data),
        "preprocess": data.preprocess.to_dict(),
        "reader": reader_of(data.splits["train"], data.preprocess, cfg["data"]["max_pixels"]).to_dict(),
        "model": cfg["model"],
        "seed": cfg["seed"],
        "task": task_name(cfg),
        "task_config": cfg["task"],
        "predicts": said_by(data.task).predicts,
        "generates": said_by(data.task).generates,  # room: generators
    }


def label_marks(data: ImageData) -> dict[str, int]:
    """One checksum per split, of the contents of its images, labels and signals; and one of extra images."""
    found = {split: (part.contents, part.labels) for split, part in data.named.items()}
    if data.extra:
        found["extra"] = (data.extra.files.contents(), data.extra.files.labels)
    for split, signals in data.signals.items():
        contents, labels = found[split]
        found[split] = contents, np.concatenate([labels.reshape(len(labels), -1), signals.numpy()], axis=1)
    return {
        name: crc32(labels.tobytes(), crc32(contents.tobytes())) for name, (contents, labels) in found.items()
    }
