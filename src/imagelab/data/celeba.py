"""Read CelebA: 202,599 faces with 40 attributes each, such as Smiling or Eyeglasses, in its own splits.

Source: Liu et al. 2015, https://arxiv.org/abs/1411.7766, section 4; the layout is that of torchvision.
"""

from pathlib import Path

import numpy as np

from imagelab.contracts import Images
from imagelab.data.files import Files
from imagelab.problem import Problem

TABLES = ("list_attr_celeba.txt", "list_eval_partition.txt")
SPLITS = ("train", "val", "test")  # by the numbers of its table


class CelebA:
    """Faces with several labels per image.

    Args:
        root: Folder that holds `celeba/`, with its two tables and `img_align_celeba/`.
        download: Whether to download missing files with torchvision.
        max_pixels: Largest number of pixels of a picture.

    Raises:
        Problem: The files are missing and cannot be downloaded.
    """

    def __init__(self, *, root: str, download: bool, max_pixels: int) -> None:
        folder = Path(root).expanduser() / "celeba"
        if not all((folder / table).is_file() for table in TABLES):
            _fetch(folder, download)
        lines = [line.split() for line in (folder / TABLES[0]).read_text(encoding="utf-8").splitlines()]
        parts = dict(line.split() for line in (folder / TABLES[1]).read_text(encoding="utf-8").splitlines())
        self.classes: list[str] = lines[1]
        names = [line[0] for line in lines[2:]]
        labels = np.array([[int(cell) for cell in line[1:]] for line in lines[2:]]) > 0
        numbers = np.array([int(parts[name]) for name in names])
        self.splits: dict[str, Images] = {}
        for number, split in enumerate(SPLITS):
            mine = np.flatnonzero(numbers == number)
            paths = [str(folder / "img_align_celeba" / names[place]) for place in mine.tolist()]
            self.splits[split] = Files(paths, labels[mine], max_pixels=max_pixels)


def _fetch(folder: Path, download: bool) -> None:
    if not download:
        raise Problem(
            f"data: CelebA is not in {folder.absolute()}; set data.download=true, or data.root=FOLDER"
        )
    import torchvision.datasets

    try:
        torchvision.datasets.CelebA(folder.parent, download=True)
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split()) or type(error).__name__
        raise Problem(
            f"data: CelebA is not in {folder.absolute()} and cannot be downloaded ({why}); "
            "set data.root to a folder that has it"
        ) from error
