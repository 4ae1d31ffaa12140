"""Turn what is known of pictures besides their pixels into what a network sees."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from imagelab.data.decode import Unreadable
from imagelab.data.preprocess import Preprocess
from imagelab.data.signals import Row, encode_rows


def encoded(preprocess: Preprocess, beside: Sequence[Row] | None) -> Tensor | None:
    """What is known of images besides their pixels as a network sees it, (B, S) float32; None: nothing."""
    columns = preprocess.signals
    return None if beside is None else torch.from_numpy(encode_rows(columns, beside, "the given images"))


def signals_of(
    preprocess: Preprocess,
    beside: Mapping[str | Path, Row] | None,
    paths: Sequence[str | Path],
    read: Sequence[Any],
) -> Tensor | None:
    """The signals of the files that could be read, (B, S) float32; None if nothing is known of them."""
    pairs = zip(paths, read, strict=True)
    good = [path for path, one in pairs if not isinstance(one, Unreadable)]
    return encoded(preprocess, None if beside is None else [beside[path] for path in good])
