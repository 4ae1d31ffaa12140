"""What the network is not to see changes nothing: in training, evaluation, prediction and exported files."""

import numpy as np
import pytest
import torch
from PIL import Image

import imagelab
from imagelab.config.compose import compose
from imagelab.config.validate import problems
from imagelab.data.arrays import Arrays
from imagelab.data.image_data import ImageData
from imagelab.data.preprocess import Preprocess
from imagelab.data.visible import EVERYTHING, Visible
from imagelab.predictor import batch_of
from imagelab.problem import Problem
from imagelab.randomness import stream
from tests import in_process
from tests.fitting import IMAGE_DATA, SHORT

WORDS = ["data.channels=grey", "data.mask=[[0,0,0.5,0.25]]", "data.crop=0.75", "data.workers=0"]


class Source:
    def __init__(self, images: np.ndarray) -> None:
        self.classes = ["a", "b"]
        labels = np.arange(len(images)) % 2
        self.splits = {name: Arrays(torch.from_numpy(images), labels) for name in ("train", "val", "test")}


def batches(images: np.ndarray, visible: Visible, *names: str) -> list[torch.Tensor]:
    """What enters the network from train, augmented, and from val."""
    from imagelab.config.make import make

    nodes = compose("train", [f"augment=[{','.join(names)}]"]).cfg
    assert nodes is not None
    augment = [make(node) for node in nodes["augment"].values()]
    data = ImageData(source=Source(images), augment=augment, visible=visible, **IMAGE_DATA)
    train = next(iter(data.train_loader(epoch=0, start=0, rank=0, ranks=1)))
    val = next(iter(data.eval_loader("val", rank=0, ranks=1)))
    return [data.prepare_batch(batch, train=batch is train, rank=0).images for batch in (train, val)]


def noise(*shape: int) -> np.ndarray:
    return stream(0, "visible").integers(0, 256, shape, dtype=np.uint8)


def test_hidden_pixels_enter_no_batch_even_where_images_are_mirrored():
    images, visible = noise(20, 3, 16, 16), Visible(channels=None, mask=[[0, 0, 0.25, 0.5]], crop=None)
    stamped = images.copy()
    stamped[:, :, :8, :4] = np.arange(20, dtype=np.uint8)[:, None, None, None]
    # As mean and deviation are of all pixels, the stamps must not change them.
    for image, stamp in zip(images, stamped, strict=True):
        stamp[:, :8, :4] = image[:, :8, :4][:, ::-1]
    for one, other in zip(batches(images, visible, "flip"), batches(stamped, visible, "flip"), strict=True):
        assert torch.equal(one, other)
    shown = [batches(one, EVERYTHING, "flip")[0] for one in (images, stamped)]
    assert not torch.equal(*shown)


def test_grey_is_the_luma_and_normalised_as_such():
    images = noise(20, 3, 8, 8)
    train, val = batches(images, Visible(channels="grey", mask=None, crop=None))
    assert train.shape[1:] == val.shape[1:] == (1, 8, 8)
    luma = (images * np.array([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdims=True)
    wanted = (luma[:10] - luma.mean()) / luma.std()
    np.testing.assert_allclose(val.numpy(), wanted, atol=0.01)


def test_a_crop_is_the_centre_in_training_and_evaluation_without_being_resized():
    images = noise(20, 1, 16, 16)
    for batch in batches(images, Visible(channels=None, mask=None, crop=0.75)):
        assert batch.shape[-2:] == (12, 12)
    val = batches(images, Visible(channels=None, mask=None, crop=0.75))[1]
    centre = images[:10, :, 2:14, 2:14] / 255
    ratio = np.polyfit(centre.ravel(), val.numpy().ravel(), 1)
    np.testing.assert_allclose(np.polyval(ratio, centre), val.numpy(), atol=1e-4)


def test_grey_images_of_weights_for_colours_keep_one_mean():
    weights = Preprocess(
        size=8, channels=3, mean=[0.2, 0.4, 0.6], std=[0.1, 0.2, 0.3], resize=8, interpolation="bilinear"
    )
    found = Visible(channels="grey", mask=None, crop=None).seen(weights)
    assert (found.channels, found.mean, found.std) == (1, [pytest.approx(0.4)], [pytest.approx(0.2)])
    assert Visible(channels="grey", mask=None, crop=None).seen(found) == found


@pytest.fixture(scope="module", params=["files", "memory"])
def run(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("visible")
    for name, shift in (("dark", 0), ("light", 90)):
        (folder / "photos" / name).mkdir(parents=True)
        for k in range(15):
            pixels = (stream(k, name).integers(0, 160, (40, 48, 3)) + shift).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{k}.png")
    words = [*SHORT, *WORDS, "data=folder", f"data.root={folder / 'photos'}", "data.batch_size=8"]
    words += [f"data.storage={request.param}", "data.size=24", "augment=[flip]", "model.widths=[4,4]"]
    return in_process.trained(*words, folder=folder)


def pictures() -> tuple[np.ndarray, list[np.ndarray]]:
    """A picture, and others that differ in nothing that the network is to see."""
    whole = noise(64, 64, 3)
    border, stamp = whole.copy(), whole.copy()
    border[:7], border[:, 57:] = 0, 255  # the centre of 0.75 begins after 8 pixels
    stamp[:20, :32] = 77  # 8 + 0.25 * 48
    grey = np.asarray(Image.fromarray(whole).convert("L"))[:, :, None].repeat(3, 2)
    return whole, [border, stamp, grey]


def test_prediction_and_evaluation_do_not_see_it_either(run, tmp_path):
    net = imagelab.load(run)
    assert net.preprocess.channels == 1
    whole, others = pictures()
    read = [net.prepared(image) for image in (whole, *others, 255 - whole)]
    own, border, stamp, grey, inverted = net.preprocess(batch_of(read))
    assert torch.equal(border, own)
    assert torch.equal(stamp, own)
    torch.testing.assert_close(grey, own, atol=0.03, rtol=0)  # its pixels are whole numbers
    assert (inverted - own).abs().max() > 1
    said = in_process.imagelab("evaluate", f"run={run}", "tta=flip", folder=tmp_path)
    assert said.status == 0, said


def test_an_exported_file_has_it_inside(run, tmp_path):  # room: exporting
    words = [f"run={run}", "format=safetensors", f"output={tmp_path / 'net.safetensors'}"]
    assert in_process.imagelab("export", *words, folder=tmp_path).status == 0
    own, copied = imagelab.load(run), imagelab.load(tmp_path / "net.safetensors")
    assert copied.preprocess == own.preprocess
    images = torch.from_numpy(pictures()[0]).permute(2, 0, 1)[None]
    torch.testing.assert_close(copied(images), own(images))


def test_boxes_and_crops_without_a_meaning_are_refused():
    cfg = compose("train", ["data.mask=[[0.5,0,0.25,1]]", "data.crop=1.5"]).cfg
    assert cfg is not None
    found = "\n".join(problems(cfg))
    assert "data.mask: a box is [left, top, right, bottom]" in found
    assert "got [0.5, 0, 0.25, 1]" in found
    assert "data.crop: wants a number above 0, up to 1, got 1.5" in found
    with pytest.raises(Problem, match=r"the images have data\.size=16 already"):
        Visible(channels=None, mask=None, crop=0.5).side(16, 16)
