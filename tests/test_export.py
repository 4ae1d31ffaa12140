"""`imagelab export` writes a file that predicts like the run, or none; and `predict` runs from it."""

import csv
import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import imagelab
from imagelab import loading
from imagelab.config.trust import trusting
from imagelab.exporting import formats, verify
from imagelab.exporting.formats import ENDINGS, load_exported
from imagelab.finding import read
from imagelab.predictor import Predictor
from imagelab.problem import Problem
from tests import in_process

HOWTO = Path(__file__).parents[1] / "docs" / "howto" / "export.md"
TRAINED = [
    "trainer.max_epochs=2",
    "data.limit=600",
    "model.widths=[8,16]",
    "trick=[ema]",
    "trick.ema.decay=0.9",
]


def open_trusted(path: Path) -> Any:
    with trusting([str(path)]):
        return load_exported(path)


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    """A run on grey images with averaged weights, exported in each format."""
    run = in_process.trained(*TRAINED, folder=tmp_path_factory.mktemp("digits"))
    for name in ENDINGS:
        said = exported(run, f"format={name}")
        assert said.status == 0, said
    return run


@pytest.fixture
def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, shape, dtype=np.uint8) for shape in [(8, 8), (20, 30, 3), (7, 5, 3)]]


def exported(run: Path | str, *words: str, folder: Path | None = None) -> in_process.Said:
    return in_process.imagelab("export", f"run={run}", *words, folder=folder or Path(run))


def refused(run: Path, *words: str, folder: Path) -> str:
    """The one sentence that a wrong command gets; nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    said = exported(run, *words, folder=folder)
    assert (said.status, said.out) == (2, ""), said
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before
    assert list(folder.iterdir()) == []
    return said.err.strip()


@pytest.mark.parametrize("name", ENDINGS)
def test_an_exported_file_predicts_like_the_run_for_batches_of_any_size(digits, pictures, name):
    run, file = imagelab.load(digits), open_trusted(digits / f"model{ENDINGS[name]}")
    assert file.classes == run.classes
    for some in (pictures, pictures[:1], pictures * 11):
        found = file.images(some)
        assert found.shape == (len(some), 10)
        assert found.dtype == np.float32
        assert np.abs(found - run.images(some)).max() < 1e-6


def test_a_graph_takes_any_number_of_images_as_pixels(digits):
    import onnxruntime

    session = onnxruntime.InferenceSession(digits / "model.onnx")
    (images,), (probabilities,) = session.get_inputs(), session.get_outputs()
    assert (images.name, images.type, images.shape) == ("images", "tensor(uint8)", ["batch", 3, 8, 8])
    assert (probabilities.name, probabilities.shape) == ("probabilities", ["batch", 10])
    pixels = torch.randint(0, 256, (4, 3, 8, 8), dtype=torch.uint8)
    (found,) = session.run(None, {"images": pixels.numpy()})
    assert np.abs(np.asarray(found) - imagelab.load(digits)(pixels).numpy()).max() < 1e-6


def test_the_better_weights_are_exported_and_others_on_request(digits, pictures, tmp_path):
    content = torch.load(digits / "checkpoints" / "best.ckpt", weights_only=True)
    other = {"ema": "raw", "raw": "ema"}[content["weights"]]
    output = tmp_path / "other.safetensors"
    assert exported(digits, "format=safetensors", f"weights={other}", f"output={output}").status == 0
    better, worse = imagelab.load(digits / "model.safetensors"), imagelab.load(output)
    key = "net.head.weight" if "net.head.weight" in content["state_dict"] else None
    sets = {"raw": content["state_dict"]} | {
        name: {f"net.{k}": v for k, v in state.items()} for name, state in content["averages"].items()
    }
    assert key is None or not torch.equal(sets["raw"][key], sets["ema"][key])
    for loaded, name in ((better, content["weights"]), (worse, other)):
        state = loaded.net.state_dict()
        assert all(torch.equal(state[k], sets[name][f"net.{k}"]) for k in state)
    assert not np.array_equal(better.images(pictures), worse.images(pictures))
    assert json.loads((tmp_path / "labels.json").read_text())["weights"] == other


def test_labels_and_findings_describe_input_output_and_difference(digits):
    card = torch.load(digits / "checkpoints" / "best.ckpt", weights_only=True)["imagelab"]
    labels = json.loads((digits / "labels.json").read_text())
    assert labels["classes"] == card["classes"]
    assert labels["preprocess"] == card["preprocess"]
    assert labels["reader"] == card["reader"]
    assert labels["input"]["shape"] == ["batch", 3, 8, 8]
    assert labels["size"] == 8
    found = {finding.name: finding for finding in read(digits / "export.json")}
    assert found["agreement"].value < 1e-6
    assert "16 images of the data set's train split" in found["agreement"].why
    assert found["file"].value["bytes"] == (digits / "model.safetensors").stat().st_size


def test_a_program_is_loaded_only_if_it_is_trusted_by_name(digits, tmp_path):
    file = digits / "model.pt2"
    with pytest.raises(Problem, match=f"could run any code; .* add trust={file}$"):
        load_exported(file)
    with trusting([str(tmp_path / "model.pt2")]), pytest.raises(Problem, match="could run any code"):
        load_exported(file)


@pytest.mark.parametrize("name", ENDINGS)
def test_predict_runs_from_the_file_alone(digits, pictures, name, tmp_path):
    file = Path(shutil.copy(digits / f"model{ENDINGS[name]}", tmp_path))
    (tmp_path / "photos").mkdir()
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "photos" / f"{place}.png")
    (tmp_path / "photos" / "text.jpg").write_text("this is no picture")
    said = in_process.imagelab(
        "predict", f"run={file}", "source=photos", "batch_size=2", f"trust={file}", folder=tmp_path
    )
    assert said.status == 0, said
    lines = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    run = imagelab.load(digits).files([tmp_path / "photos" / f"{place}.png" for place in range(3)])
    for line, probabilities in zip(lines, run, strict=False):
        assert isinstance(probabilities, np.ndarray)
        assert line["class"] == str(np.argmax(probabilities))
        assert [float(line[str(k)]) for k in range(10)] == pytest.approx(list(probabilities), abs=1e-5)
    assert [bool(line["error"]) for line in lines] == [False, False, False, True]


def test_a_file_of_weights_gives_a_network_that_can_be_trained_on(digits):
    found = imagelab.load(str(digits / "model.safetensors"))
    assert isinstance(found, Predictor)
    assert all(weight.requires_grad for weight in found.net.parameters())


def test_the_code_in_the_docs_predicts_the_same_class_as_predict(digits, pictures, tmp_path, monkeypatch):
    Image.fromarray(pictures[1]).save(tmp_path / "photo.jpg", quality=95)
    for name in ("model.onnx", "labels.json"):
        shutil.copy(digits / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", HOWTO.read_text(encoding="utf-8"), re.DOTALL)
    assert "imagelab" not in code
    assert "torch" not in code
    known: dict = {}
    exec(code, known)
    (expected,) = imagelab.load(digits).files(["photo.jpg"])
    assert isinstance(expected, np.ndarray)
    assert np.abs(known["probabilities"][0] - expected).max() < 0.1  # another way to shrink a picture
    assert known["probabilities"].shape == (1, 10)


def test_a_file_that_disagrees_with_the_run_is_removed(digits, tmp_path, monkeypatch):
    from imagelab.exporting import safetensors

    def wrong(path: Path, predictor: Predictor, card: dict, *, opset: int) -> None:
        with torch.no_grad():
            next(predictor.net.parameters()).mul_(1.5)
        right(path, predictor, card, opset=opset)
        with torch.no_grad():
            next(predictor.net.parameters()).div_(1.5)

    right = safetensors.write
    monkeypatch.setattr(safetensors, "write", wrong)
    said = refused(digits, "format=safetensors", f"output={tmp_path}/wrong.safetensors", folder=tmp_path)
    assert "disagrees with the run" in said
    assert "more than tolerance=0.0001. The file is removed" in said


def test_nan_counts_as_disagreement(digits, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "difference", lambda *_: float("nan"))
    said = refused(digits, "format=safetensors", f"output={tmp_path}/x.safetensors", folder=tmp_path)
    assert "differs by nan" in said


def test_without_the_extra_the_sentence_names_it(digits, tmp_path, monkeypatch):
    present = {"onnx": None, "onnxruntime": None}
    monkeypatch.setattr(formats, "find_spec", lambda name: present.get(name, find_spec(name)))
    assert refused(digits, f"output={tmp_path}/x.onnx", folder=tmp_path) == (
        "ONNX files need onnx and onnxruntime, which are not installed: uv pip install 'imagelab[export]' "
        "(or: pip install onnx onnxruntime)"
    )
    with pytest.raises(Problem, match="ONNX files need onnxruntime, which is not installed"):
        load_exported(digits / "model.onnx")


def test_what_cannot_be_written_or_is_missing_is_refused(digits, tmp_path):
    assert refused(digits, "output=a.pt", folder=tmp_path) == (
        "output: wants a name that ends in .onnx for format=onnx, got a.pt"
    )
    assert refused(digits, "output=no/a.onnx", folder=tmp_path) == (
        "output=no/a.onnx cannot be written: there is no folder no"
    )
    assert refused(digits, "weights=swa", folder=tmp_path) == (
        "weights=swa: the checkpoint has raw and ema weights"
    )  # room: trick/ema
    assert "did you mean 'onnx'?" in refused(digits, "format=onx", folder=tmp_path)
    assert refused(digits, "images=0", folder=tmp_path).endswith("images: wants 1 or more, got 0")


@pytest.mark.parametrize("name", ENDINGS.values())
def test_damaged_and_foreign_files_are_refused(digits, tmp_path, name):
    whole = (digits / f"model{name}").read_bytes()
    (tmp_path / f"cut{name}").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Problem, match=rf"cut{re.escape(name)} is damaged"):
        open_trusted(tmp_path / f"cut{name}")
    (tmp_path / f"foreign{name}").write_bytes(whole.replace(b"imagelab", b"imageIab"))
    with pytest.raises(Problem, match=r"is damaged|does not list its classes"):
        open_trusted(tmp_path / f"foreign{name}")
    with pytest.raises(Problem, match=rf"there is no such file; did you mean '.*cut{re.escape(name)}'"):
        open_trusted(tmp_path / f"cutt{name}")


def test_if_the_data_are_gone_generated_images_are_compared(digits):
    gone = {"_target_": "imagelab.data.folder.Folder", "root": "gone", "max_pixels": 10**6}
    found, words = verify.pictures_of(gone, 0, 3)
    assert "generated images" in words
    assert [picture.shape for picture in found] == [(256, 256, 3)] * 3
    assert all(picture.dtype == np.uint8 for picture in found)
    again, _ = verify.pictures_of(gone, 0, 3)
    assert all(np.array_equal(one, other) for one, other in zip(found, again, strict=True))


class Undecided(nn.Module):
    """What a format cannot express: the values decide on the layers."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images) if images.sum() > 0 else self.net(-images)


@pytest.mark.parametrize("name", ["onnx", "torch_export"])
def test_a_network_that_a_format_cannot_express_is_refused(digits, tmp_path, monkeypatch, name):
    load = loading.from_checkpoint

    def undecided(*arguments: Any) -> Predictor:
        found = load(*arguments)
        found.net = Undecided(found.net)
        return found

    monkeypatch.setattr(loading, "from_checkpoint", undecided)
    said = refused(digits, f"format={name}", f"output={tmp_path}/x{ENDINGS[name]}", folder=tmp_path)
    assert said.startswith(f"format={name} cannot express this network (")
    assert said.endswith("; set format=safetensors, which works for any network")


RESNET = ["model=torchvision", "model.name=resnet18"]
VIT = ["model=timm", "model.name=vit_tiny_patch16_224"]
NETS = {
    "small_cnn": ["model.pool=fractional_max", "data.size=24"],
    "resnet9": ["model=resnet9", "data.size=32", "model.channels_last=true", "trainer.precision=bf16-mixed"],
    "resnet18": [*RESNET, "data.size=40", "trainer.precision=64-true"],
    "vit": ["model=torchvision", "model.name=vit_b_32", "data.size=64"],
    "timm": ["model=timm", "model.name=convnext_atto", "model.channels_last=true", "data.size=64"],
    "timm_vit": [*VIT, "data.size=224", "trainer.precision=bf16-true"],
}


@pytest.mark.slow
@pytest.mark.parametrize("net", NETS)
def test_every_kind_of_network_and_precision_is_exported_in_every_format(net, photos, tmp_path):
    data = ["data=folder", f"data.root={photos}", "data.limit=16", "data.batch_size=8", "data.storage=files"]
    run = in_process.trained(*data, *NETS[net], "trainer.max_epochs=1", folder=tmp_path)
    for name in ENDINGS:
        said = exported(run, f"format={name}")
        assert said.status == 0, said
        assert read(run / "export.json")[-1].value < 1e-4
