"""`imagelab.load` returns a network ready to use, from a run or from its checkpoint alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import imagelab
from imagelab.config.schema import KNOBS
from imagelab.data.decode import Unreadable
from imagelab.loading import from_checkpoint
from imagelab.model.network import bare
from imagelab.predictor import Predictor
from imagelab.problem import Problem
from tests import in_process


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    words = ["trainer.max_epochs=2", "model.norm=group", "model.activation=gelu", "model.channels_last=true"]
    return in_process.trained(*words, folder=folder)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (5, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_a_run_loads_with_classes_and_probabilities(digits, images):
    predictor = imagelab.load(digits)
    assert isinstance(predictor, Predictor)
    assert predictor.classes == [str(digit) for digit in range(10)]
    found = predictor(images)
    assert found.shape == (5, 10)
    assert not found.requires_grad
    assert torch.allclose(found.sum(1), torch.ones(5))


def test_the_checkpoint_alone_is_enough_in_any_folder(digits, images, tmp_path):
    moved = Path(shutil.copy(digits / "checkpoints" / "best.ckpt", tmp_path / "digits.ckpt"))
    assert torch.equal(imagelab.load(str(moved))(images), imagelab.load(digits)(images))


def test_the_checkpoint_holds_plain_data(digits):
    content = torch.load(digits / "checkpoints" / "best.ckpt", weights_only=True)
    assert content["imagelab"]["classes"] == imagelab.load(digits).classes


def test_loading_leaves_the_global_random_state_unchanged(digits):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    imagelab.load(digits)
    assert torch.equal(torch.rand(4), expected)


def test_the_predictor_is_in_evaluation_mode(digits):
    assert not any(layer.training for layer in imagelab.load(digits).net.modules())


def test_arrays_pillow_images_and_files_of_any_size_give_the_same(digits, tmp_path):
    predictor, rng = imagelab.load(digits), np.random.default_rng(0)
    arrays = [rng.integers(0, 256, shape, dtype=np.uint8) for shape in [(8, 8), (20, 30, 3), (7, 5, 3)]]
    paths = [tmp_path / f"{place}.png" for place in range(3)]
    for array, path in zip(arrays, paths, strict=True):
        Image.fromarray(array).save(path)
    found = predictor.images(arrays)
    assert found.shape == (3, 10)
    assert np.array_equal(found, predictor.images([Image.open(path) for path in paths]))
    assert np.array_equal(found, np.stack(predictor.files(paths)))  # type: ignore[arg-type]
    tensor = torch.from_numpy(arrays[0])[None, None]
    assert np.allclose(predictor(tensor).numpy()[0], found[0], atol=1e-6)


def test_an_unreadable_file_gives_its_error_in_its_place(digits, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_text("no picture")
    names = ["bad.png", "good.png", "missing.png"]
    found = imagelab.load(digits).files([tmp_path / name for name in names])
    assert [isinstance(one, Unreadable) for one in found] == [True, False, True]
    assert str(found[0]).startswith(str(tmp_path / "bad.png"))
    assert imagelab.load(digits).files([]) == []


@pytest.mark.parametrize(
    "images", [torch.zeros(1, 1, 8, 8), torch.zeros(8, 8, dtype=torch.uint8)], ids=["float", "one image"]
)
def test_images_of_another_shape_or_type_are_refused(digits, images):
    with pytest.raises(ValueError, match=r"\(B, C, H, W\) uint8, got"):
        imagelab.load(digits)(images)


def test_float_images_are_refused(digits):
    with pytest.raises(ValueError, match=r"uint8, got .* float64"):
        imagelab.load(digits).images([np.zeros((8, 8, 3))])


@pytest.mark.parametrize("path", ["x.jpg", Path("x.jpg")])
def test_a_path_among_images_in_memory_is_sent_to_files(digits, path):
    with pytest.raises(ValueError, match=r"'x\.jpg'; use files"):
        imagelab.load(digits).images([path])


def test_nothing_is_downloaded_for_a_run_that_started_from_pretrained_weights(digits, images, monkeypatch):
    content = torch.load(digits / "checkpoints" / "best.ckpt", weights_only=True)
    target = "imagelab.model.torchvision.torchvision_model"
    knobs = {key: content["imagelab"]["model"][key] for key in KNOBS["model"].__dataclass_fields__}
    model = {"_target_": target, "name": "squeezenet1_1", "pretrained": True} | knobs
    model |= {"norm": "default", "weights": "gone.ckpt", "pool": "fractional_max", "dropout": 0.3}
    from imagelab.model.network import build_net

    net = build_net(bare(model), [str(digit) for digit in range(10)], 3, 32, seed=5)
    content["imagelab"]["model"] = model
    content["imagelab"]["preprocess"] |= {"channels": 3, "size": 32, "resize": 32}
    content["imagelab"]["preprocess"] |= {"mean": [0.5] * 3, "std": [0.5] * 3}
    content["state_dict"] = {f"net.{name}": value for name, value in net.state_dict().items()}
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", None)
    found = from_checkpoint(content)
    pixels = found.preprocess(images)
    assert torch.equal(found(images), net.eval()(pixels).softmax(1))


def test_networks_that_turn_colours_for_their_weights_do_so_without_them():
    from imagelab.model.torchvision import torchvision_model

    net = torchvision_model(name="googlenet", pretrained=False, num_classes=2, in_channels=3, size=64)
    assert vars(net)["transform_input"] is True


def test_a_foreign_checkpoint_is_refused(tmp_path):
    with pytest.raises(Problem, match=r"There is no checkpoint .*nowhere"):
        imagelab.load(tmp_path / "nowhere")
    with pytest.raises(Problem, match=r"There is no checkpoint .*best\.ckpt"):
        imagelab.load(tmp_path)
    torch.save({"weights": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(Problem, match="not a checkpoint of imagelab"):
        imagelab.load(tmp_path / "other.pt")
    (tmp_path / "cut.ckpt").write_bytes((tmp_path / "other.pt").read_bytes()[:300])
    with pytest.raises(Problem, match=r"cut\.ckpt is damaged"):
        imagelab.load(tmp_path / "cut.ckpt")


def test_of_no_pictures_there_are_no_rows_of_every_class(digits):
    assert imagelab.load(digits).images([]).shape == (0, 10)
