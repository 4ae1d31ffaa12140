"""Turn the labels of all shards of a data set into numbers of its classes, or into its values."""

import numpy as np

from imagelab.data.shards import Shard
from imagelab.problem import Problem


def label_numbers(shards: list[Shard], labelled: bool) -> tuple[list[str], list[np.ndarray]]:
    """The names of the classes or values, and the labels of each shard, classes as their numbers.

    Raises:
        Problem: Shards disagree about the names, or a label has none.
    """
    if not labelled:
        return ["unlabelled"], [shard.found.labels for shard in shards]
    said = {tuple(shard.found.names) for shard in shards if shard.found.names}
    widths = {shard.found.labels.shape[1:] for shard in shards}
    if widths != {()}:
        return _several(shards, said, widths)
    if len(said) > 1:
        raise Problem(
            f"{shards[0].path.parent}: the files name different classes; they are of several data sets"
        )
    if said:
        classes = [*next(iter(said))]
        for shard in shards:
            if strange := sorted({*np.unique(shard.found.labels).tolist()} - {*range(len(classes))}):
                raise Problem(
                    f"{shard.path} has the label {strange[0]}, but {len(classes)} classes, from 0 on; "
                    "leave that file out, or correct it"
                )
        return classes, [shard.found.labels.astype(np.int64) for shard in shards]
    values = np.unique(np.concatenate([shard.found.labels for shard in shards]))
    if len(values) < 2:
        raise Problem(f"{shards[0].path.parent} has only one class ({values[0]}): add a second one")
    return [str(value) for value in values], [np.searchsorted(values, shard.found.labels) for shard in shards]


def _several(
    shards: list[Shard], said: set[tuple[str, ...]], widths: set[tuple[int, ...]]
) -> tuple[list[str], list[np.ndarray]]:
    """The names of classes or values, of which an image has several."""
    if len(said) > 1 or len(widths) > 1:
        raise Problem(
            f"{shards[0].path.parent}: the files name different classes or values; they are of several sets"
        )
    count = next(iter(widths))[0]
    names = next(iter(said), tuple(f"value_{place}" for place in range(count)))
    return [*names], [shard.found.labels for shard in shards]
