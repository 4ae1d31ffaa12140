"""A picture file comes to the same pixels in a prediction as it did in the run's own evaluation."""

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.data.folder import Folder
from imagelab.data.image_data import ImageData
from imagelab.data.reader import Reader, reader_of
from tests.fitting import FOLDER, IMAGE_DATA

pytestmark = pytest.mark.usefixtures("own_cache")

SAME_SMALL, SAME_FLAT = [(32, 32)] * 12, [(30, 20)] * 12
LARGE = [(300, 377), (377, 300), (307, 520), (520, 307)] * 4  # JPEGs are decoded at a quarter of that
MIXED = [(90, 70), (41, 160), (33, 31), (20, 24), (128, 128), (57, 300)] * 2


def image_data(root, sizes, *, grey=False, **changes) -> ImageData:
    rng = np.random.default_rng(0)
    for place, (width, height) in enumerate(sizes):
        path = root / "ab"[place % 2] / f"{place}.{'jpg' if place % 4 < 2 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rough = rng.integers(0, 256, (height // 4, width // 4, 3), dtype=np.uint8)
        image = Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC)
        image.convert("L" if grey else "RGB").save(path)
    knobs = IMAGE_DATA | {"batch_size": 1, "val_fraction": 0.25, "test_fraction": 0.25}
    source = Folder(root=str(root), **FOLDER)
    return ImageData(source=source, augment=[], **knobs | changes)


def both(data: ImageData, root) -> tuple[torch.Tensor, torch.Tensor]:
    """The test images as the run's evaluation sees them, and as read again from their files."""
    again = Folder(root=str(root), **FOLDER)
    from imagelab.data.splits import prepare_splits

    how = {
        "limit": None,
        "train_limit": None,
        "folds": None,
        "fold": None,
        "val_fraction": 0.25,
        "test_fraction": 0.25,
    }
    files = prepare_splits(again, classes=None, decisions=None, **how).splits
    count = data.counts["test"]
    index = np.arange(count)
    batch = data.plain("test", index)
    reader = Reader(**reader_of(data.splits["train"], data.preprocess).to_dict())
    pixels = np.stack([reader.file(path, data.preprocess) for path in files["test"].paths])  # type: ignore[attr-defined]
    read = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return data.prepare_batch(batch, train=False, rank=0).images, data.preprocess(read)


@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
@pytest.mark.parametrize(
    ("sizes", "storage", "size"),
    [
        (SAME_SMALL, "auto", None),
        (SAME_SMALL, "memory", 16),
        (SAME_SMALL, "memory", 48),
        (SAME_SMALL, "files", 16),
        (SAME_SMALL, "files", 48),
        (SAME_FLAT, "auto", None),
        (SAME_FLAT, "memory", 24),
        (MIXED, "memory", 32),
        (MIXED, "files", 32),
        (MIXED, "files", None),
        (MIXED, "shrunk", 32),
        (LARGE, "shrunk", 32),
    ],
)
def test_pixels_are_bit_identical(tmp_path, sizes, storage, size, grey):
    evaluated, read = both(image_data(tmp_path, sizes, grey=grey, storage=storage, size=size), tmp_path)
    assert evaluated.shape == read.shape
    assert torch.equal(evaluated, read)
