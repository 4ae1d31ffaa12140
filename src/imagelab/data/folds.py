"""Make stratified folds for cross-validation: every image of train and val is held out exactly once.

Source: Kohavi 1995, "A Study of Cross-Validation and Bootstrap for Accuracy Estimation and Model Selection",
https://www.ijcai.org/Proceedings/95-2/Papers/016.pdf, section 2.2.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from imagelab.box_labels import stacked  # room: detection
from imagelab.contracts import Images
from imagelab.data.files import Files
from imagelab.data.groups import folds_of_groups
from imagelab.data.named import Named
from imagelab.data.packed import Packed, joined_packed
from imagelab.data.paths import joined_paths
from imagelab.data.ranks import fold_numbers
from imagelab.problem import Problem


class Folds:
    """The fold of each image of a pool; dropping other images later does not change it.

    Args:
        pool: All images of train and val, before any are left out.
        count: Number of folds.
    """

    def __init__(self, pool: Named, count: int) -> None:
        self.count = count
        numbers = _numbers(pool, count)
        self.places = {name: pool.places[pool.origins == name] for name in np.unique(pool.origins)}
        self.numbers = {name: numbers[pool.origins == name] for name in self.places}

    def of(self, images: Named) -> np.ndarray:
        """The folds of N images of the pool, (N,) int64."""
        found = np.empty(len(images), dtype=np.int64)
        for name, places in self.places.items():
            mine = images.origins == name
            order = np.argsort(places)
            found[mine] = self.numbers[name][order][np.searchsorted(places[order], images.places[mine])]
        return found

    def hold_out(self, pool: Named, fold: int, *, refold: bool) -> dict[str, Named]:
        """Take one fold of the remaining images as "val", all others as "train".

        Args:
            pool: The remaining images of the pool.
            fold: Number of the fold, from 0.
            refold: Whether to make new folds of just these images. If few remain, their folds within the
                whole pool would differ in size.
        """
        numbers = _numbers(pool, self.count) if refold else self.of(pool)
        return {
            "train": pool.select(np.flatnonzero(numbers != fold)),
            "val": pool.select(np.flatnonzero(numbers == fold)),
        }


def _numbers(pool: Named, count: int) -> np.ndarray:
    """The fold of each image, (N,) int64."""
    if pool.groups is None:
        return fold_numbers(pool.labels, pool.contents, count)
    return folds_of_groups(pool.labels, pool.groups, count)


def pooled(parts: Mapping[str, Named]) -> Named:
    """The images of train and, if there is one, val.

    Raises:
        Problem: They cannot be merged.
    """
    train = parts["train"]
    val = parts.get("val")
    if val is None:
        return train
    return merged([train, val])


def merged(parts: Sequence[Named]) -> Named:
    """The images of several parts of one source as one.

    Raises:
        Problem: As in `joined`.
    """
    facts = [(part.origins, part.places, part.contents) for part in parts]
    origins, places, contents = (np.concatenate(fact) for fact in zip(*facts, strict=True))
    return Named(joined([part.images for part in parts]), origins, places, contents, parts[0].source)


def joined(parts: Sequence[Images]) -> Images:
    """The images of several splits as one.

    Raises:
        Problem: They differ in size in memory, or are of some other type than Arrays and Files.
    """
    import torch

    from imagelab.data.arrays import Arrays

    labels = _labels([part.labels for part in parts])
    arrays = [part for part in parts if isinstance(part, Arrays)]
    files = [part for part in parts if isinstance(part, Files)]
    if len(arrays) == len(parts) and len({part.images.shape[1:] for part in arrays}) == 1:
        return Arrays(torch.cat([part.images for part in arrays]), labels)
    packed = [part for part in parts if isinstance(part, Packed)]
    if len(packed) == len(parts):
        return joined_packed(packed)
    if len(files) < len(parts):
        kinds = " and ".join(sorted({type(part).__name__ for part in parts}))
        raise Problem(
            f"data.folds: the images of train and val cannot be merged ({kinds}, perhaps of different "
            "sizes); put them into one split"
        )
    sizes = [part.sizes for part in files]
    known = [one for one in sizes if one is not None]
    paths = joined_paths([part.paths for part in files])
    most = max(part.max_pixels for part in files)
    groups = [part.groups for part in files if part.groups is not None]
    stamps = [part.stamps for part in files if part.stamps is not None]
    return Files(
        paths,
        labels,
        np.concatenate(known) if len(known) == len(files) else None,
        most,
        np.concatenate(stamps) if len(stamps) == len(files) else None,
        np.concatenate([part.contents() for part in files]),
        np.concatenate(groups) if len(groups) == len(files) else None,
    )


def _labels(parts: Sequence[np.ndarray]) -> np.ndarray:
    if parts[0].ndim == 3:  # room: detection
        return stacked(parts)
    return np.concatenate(parts)
