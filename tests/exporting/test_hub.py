import json

import huggingface_hub
import pytest
import timm
import torch

import imagelab
from imagelab.exporting.hub import page
from imagelab.model.weights import load_weights
from imagelab.problem import Problem
from tests import in_process

SMALL = ("trainer.max_epochs=1", "data.limit=100", "data.size=32", "data.batch_size=50")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    words = ("model=timm", "model.name=resnet10t", "model.pretrained=false", *SMALL)
    folder = in_process.trained(*words, folder=tmp_path_factory.mktemp("timm"))
    said = in_process.imagelab("export", f"run={folder}", "format=hub", folder=folder)
    assert said.status == 0, said.err
    return folder


@pytest.fixture
def hub(run, monkeypatch):
    """The hub, which has one network: what the run exported."""

    def download(name, **_):
        if name != "someone/digits":
            raise OSError(f"Repository Not Found for {name}\nmore")
        return str(run / "hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)


def test_timm_builds_the_network_from_the_folder_with_the_same_logits(run):
    mine = imagelab.load(run).net.eval()
    net = timm.create_model(f"local-dir:{run / 'hub'}", pretrained=True).eval()
    images = torch.randn(4, 1, 32, 32)
    torch.testing.assert_close(net(images), mine(images))
    assert net.pretrained_cfg["label_names"] == [str(k) for k in range(10)]
    data = timm.data.resolve_data_config({}, model=net)
    assert data["mean"] == pytest.approx(tuple(imagelab.load(run).preprocess.mean))


def test_the_model_card_has_the_measured_metrics_and_code_that_names_the_library(run):
    page = (run / "hub" / "README.md").read_text()
    accuracy = json.loads((run / "results.json").read_text())["test"]["accuracy"]
    assert page.startswith("---\ntags:\n- image-classification\nlibrary_name: timm\n---\n")
    assert f"| accuracy | {accuracy:.4f} |" in page
    assert "1 x 32 x 32 pixels" in page


@pytest.mark.parametrize(
    ("predicts", "tag", "made"),
    [
        ("tags", "image-classification", "probabilities"),
        ("boxes", "object-detection", "boxes"),  # room: detection
        ("values", "image-regression", "values"),
    ],
)
def test_the_model_card_names_the_kind_of_task_and_of_predictions(predicts, tag, made, run):
    predictor = imagelab.load(run)
    preprocess = {"channels": 3, "size": 8, "mean": [0.5] * 3, "std": [0.5] * 3}
    card = {"preprocess": preprocess, "predicts": predicts, "model": {}}
    text = page(predictor, card, {"test": {}, "command": ""}, by_timm=False)
    assert text.startswith(f"---\ntags:\n- {tag}\nlibrary_name: imagelab\n")
    assert f'{made} = predictor.files(["photo.jpg"])' in text


def test_a_network_from_the_hub_predicts_and_is_trained_on(run, hub):
    loaded, net = (
        imagelab.load("hf:someone/digits"),
        timm.create_model("resnet10t", num_classes=10, in_chans=1),
    )
    assert load_weights(net, "hf:someone/digits", loaded.classes) == []
    for name, tensor in imagelab.load(run).net.state_dict().items():
        assert torch.equal(loaded.net.state_dict()[name], tensor)
        assert torch.equal(net.state_dict()[name], tensor) or name.endswith("num_batches_tracked")


def test_weights_of_another_program_start_a_network_with_a_new_head(run, tmp_path):
    from safetensors.torch import save_file

    net, own = timm.create_model("resnet10t"), timm.create_model("resnet10t", num_classes=3)
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    assert load_weights(own, tmp_path) == ["fc.weight", "fc.bias"]
    assert torch.equal(own.conv1[0].weight, net.conv1[0].weight)
    with pytest.raises(Problem, match="does not list its classes"):
        imagelab.load(tmp_path)


def test_a_network_whose_layers_were_replaced_is_not_offered_to_timm(tmp_path):
    words = ("model=timm", "model.name=resnet10t", "model.pretrained=false", "model.norm=group", *SMALL)
    folder = in_process.trained(*words, folder=tmp_path)
    assert in_process.imagelab("export", f"run={folder}", "format=hub", folder=folder).status == 0
    page = (folder / "hub" / "README.md").read_text()
    assert "library_name: imagelab" in page
    assert 'imagelab.load("hf:USER/NAME")' in page
    assert imagelab.load(folder / "hub").classes == [str(k) for k in range(10)]


def test_what_the_hub_does_not_give_is_a_sentence(hub):
    with pytest.raises(Problem, match=r"^hf:someone/cats: the .* did not give it: Repository Not Found"):
        imagelab.load("hf:someone/cats")
