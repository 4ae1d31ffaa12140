"""Load pictures without labels beside the training images: prepared and augmented as they are, never mixed.

Which pictures a batch has is a function of (seed, number of the batch, rank), so a run resumes anywhere, and
the number of workers changes nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from imagelab.augment import apply
from imagelab.contracts import Batch
from imagelab.data.arrays import Arrays
from imagelab.data.batches import Address
from imagelab.data.chain import decode_like
from imagelab.data.copies import refuse_copies
from imagelab.data.dataset import batches_of
from imagelab.data.files import Files
from imagelab.data.image_data import ImageData
from imagelab.data.index import index_folder
from imagelab.data.scan import refuse_or_skip, scan
from imagelab.data.workers import make_loader, worker_count
from imagelab.problem import Problem
from imagelab.randomness import sample_keys, stream


class Unlabelled:
    """The pictures of a folder, in class folders or not, as batches for the training of a run.

    Args:
        root: The folder.
        key: Config key that named it, for messages.
        data: Data of the run.
        per_batch: Pictures per batch and device; None: as many as a training batch has images.
        max_pixels: Largest number of pixels of a picture; see `decode`.

    Raises:
        Problem: There are no such pictures, one cannot be read, or one is a copy of a held-out image.
    """

    def __init__(
        self, *, root: str, key: str, data: ImageData, per_batch: int | None, max_pixels: int
    ) -> None:
        folder = Path(root).expanduser().absolute()
        if not folder.is_dir():
            raise Problem(f"{key}={root}: there is no such folder; name one with pictures")
        paths = index_folder(folder, labelled=False).paths
        found = scan(paths, str(folder), max_pixels)
        refuse_or_skip(found, len(paths), "error")
        nothing = np.zeros(len(paths), np.int64)
        self.files = Files(paths, nothing, found.sizes, max_pixels, found.stamps, found.contents)
        train = data.splits["train"]
        pixels = Arrays(decode_like(self.files, train.images), nothing) if isinstance(train, Arrays) else None
        refuse_copies(self.files, pixels.contents() if pixels is not None else None, data.named, key)
        self.data = data
        self.per_batch = per_batch or data.batch_size
        self.images = self.files if pixels is None else pixels
        self.dataset = batches_of(self.images, data.in_workers, data.preprocess)
        self.number = -1  # of the batch that was loaded last
        self.loaded: Iterator[Batch] = iter(())
        self.current: Tensor | None = None

    def mark(self) -> int:
        """A checksum of the contents of the pictures."""
        return crc32(self.files.contents().tobytes())

    def batch(self, number: int, *, rank: int, ranks: int, device: torch.device) -> Tensor:
        """The pictures of a batch of the run as the network sees them, (U, C, H, W) float.

        Args:
            number: Number of the batch, counted from the start of the run.
            rank: Rank of this process.
            ranks: Number of ranks.
            device: Where the training images are.
        """
        if number != self.number or self.current is None:
            if number != self.number + 1 or self.current is None:
                with torch.random.fork_rng(devices=[]):  # a loader draws a seed for its workers
                    self.loaded = iter(self._loader(number, rank, ranks))
            raw = next(self.loaded)
            pixels, keys = (part.to(device, non_blocking=True) for part in (raw.images, raw.keys))
            self.current = self.data.preprocess(apply.augment_batch(pixels, keys, self.data.on_device))
            self.number = number
        return self.current

    def _loader(self, first: int, rank: int, ranks: int) -> "torch.utils.data.DataLoader[Batch]":
        drawn = Endless(
            len(self.images),
            batch_size=self.per_batch,
            seed=self.data.seed,
            rank=rank,
            ranks=ranks,
            first=first,
        )
        slow = isinstance(self.images, Files) or bool(self.data.in_workers)
        workers = worker_count(self.data.workers, one_by_one=slow, batches=len(drawn), ranks=ranks)
        return make_loader(self.dataset, drawn, workers=workers, pin_memory=False)


class Endless(Sampler[Address]):
    """Batches without an end: pass after pass over all pictures, each in an order and with draws of its own.

    Args:
        count: Number of pictures.
        batch_size: Pictures per rank and batch.
        seed: Seed of the order and of the random keys.
        rank: Rank of this process.
        ranks: Number of ranks.
        first: Number of the first batch.
    """

    def __init__(self, count: int, *, batch_size: int, seed: int, rank: int, ranks: int, first: int) -> None:
        self.count, self.batch_size, self.seed = count, batch_size, seed
        self.rank, self.ranks, self.first = rank, ranks, first

    def __len__(self) -> int:
        """More batches than any run has."""
        return 1 << 40

    def __iter__(self) -> Iterator[Address]:
        for number in range(self.first, self.first + len(self)):
            start = (number * self.ranks + self.rank) * self.batch_size
            yield self.address(number, np.arange(start, start + self.batch_size))

    def address(self, number: int, draws: np.ndarray) -> Address:
        """The address of the pictures with these numbers in the sequence of all draws, (B,) int64."""
        passes = draws // self.count
        orders = {
            one: stream(self.seed, "unlabelled", one).permutation(self.count)
            for one in np.unique(passes).tolist()
        }
        index = np.array(
            [orders[one][place] for one, place in zip(passes.tolist(), draws % self.count, strict=True)]
        )
        keys = sample_keys(self.seed, -1, torch.from_numpy(draws)).numpy()  # epochs of training count from 0
        return Address(0, number, index, keys)
