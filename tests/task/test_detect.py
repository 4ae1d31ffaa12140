# room: detection
"""Boxes: what a run of task=detect measures and keeps, and what refuses it."""

import json
import shutil
import time

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.box_labels import CORNERS, SCALE, there
from imagelab.checkpoints.durable import read
from imagelab.config.compose import compose, plain
from imagelab.config.trust import trusting  # room: exporting
from imagelab.config.validate import problems
from imagelab.exporting.formats import load_exported  # room: exporting
from imagelab.loading import load
from imagelab.metrics.box_distance import distance  # room: exporting
from imagelab.problem import Problem
from imagelab.runs.csv_cells import read_rows
from tests.data.test_boxes import write_csv
from tests.fitting import built, fitted
from tests.in_process import imagelab, trained
from tests.runs_of_the_command import finish

BRIEF = [
    "task=detect",
    "trainer=cpu",
    "trainer.max_epochs=1",
    "data.count=16",
    "model.width=32",
    "model.convs=1",
    "trainer.log_every_n_steps=1",
]
EXPORTED = {  # room: exporting
    "fcos": [],
    "retinanet": ["model=retinanet", "model.score=0.001"],
    "faster_rcnn": ["model=faster_rcnn", "model.hidden=32", "model.score=0.02"],
}
REFUSED = {  # by predict
    "set=0.9": "set: is for networks that predict classes, and this one finds boxes; leave it out",
    "explain=true": "explain: is for networks that predict classes",  # room: explaining
    "score=2": "score: wants a number in [0, 1], got 2",
}


def words_of(words: list[str]) -> list[str]:
    composed = compose("train", words)
    return composed.problems + (problems(plain(composed.cfg)) if composed.cfg else [])


def test_its_name_alone_brings_data_and_a_model_and_others_take_their_place():
    targets = [
        (cfg["data"]["_target_"].split(".")[-1], cfg["model"]["_target_"].split(".")[-1])
        for more in ([], ["model=retinanet"], ["data=boxes", "data.root=x"])
        if (cfg := compose("train", ["task=detect", *more]).cfg)
    ]
    assert targets == [("Scenes", "Fcos"), ("Scenes", "RetinaNet"), ("Boxes", "Fcos")]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["task=detect", "model=small_cnn"], "SmallCNN does not; set model=fcos, retinanet or faster_rcnn"),
        (["model=fcos"], "model: Fcos finds boxes; set task=detect, or another model"),
        (["task=detect", "augment=[lens]"], "augment.lens: cannot move boxes"),
        (["task=detect", "trainer.on_oom=halve"], "halve computes a batch in parts"),
        (["task=detect", "trick=[swa]"], "trick.swa: passes images without their boxes, which task=detect"),
        (["task=detect", "trick=[activation_stats]"], "trick.activation_stats: passes images without their"),
        (["task=detect", "trick=[progressive_size]"], "trick.progressive_size: shrinks images, but not the"),
        (["task=detect", "optimizer=schedule_free"], "AdamWScheduleFree passes images without their boxes"),
        (["task=detect", "loss=focal"], "loss: task=detect has its own loss; leave loss out"),
        (
            ["task=detect", "model.dropout=0.2"],
            "model.dropout: drops features before one last layer, and Fcos",
        ),
        (["task=detect", "model.stem=small"], "model.stem: small changes the strides of model.levels, which"),
        (
            ["task=detect", "model.norm=frozen"],
            "model.norm: frozen keeps the statistics of trained weights, and",
        ),
        (
            ["task=detect", "model.norm=frozen", "model.weights=run", "finetune=scratch"],
            "this network starts from random ones; set model.norm=group",
        ),
        (
            ["task=detect", "model.weights=run", "finetune=auto"],
            "finetune: Auto compares images by their class",
        ),
        (["task=detect", "monitor=val/accuracy"], "there is no metric 'val/accuracy'"),
    ],
)
def test_what_does_not_go_together_is_refused(words, says):
    assert any(says in sentence for sentence in words_of(words)), words_of(words)


def test_tricks_that_know_where_boxes_are_or_need_none_are_taken():
    assert words_of(["task=detect", "trick=[ema,feature_maps,sam,batch_growth,agc,l2,first_layer]"]) == []
    assert words_of(["task=detect", "optimizer=adam"]) == []
    assert words_of(["task=detect", "model.norm=frozen", "model.weights=run", "finetune=gradual"]) == []


def test_classes_as_labels_are_refused(tmp_path):
    with pytest.raises(Problem, match="task=detect takes boxes, and the labels of train are one class per"):
        built([*BRIEF[:3], "data=digits", "data.batch_size=8"], tmp_path)


def test_boxes_are_in_pixels_of_the_input_and_know_the_scale_of_their_photo(tmp_path):
    write_csv(tmp_path / "data")
    words = [*BRIEF[:3], "data=boxes", f"data.root={tmp_path}/data", "data.size=80", "data.batch_size=1"]
    data = built([*words, "data.workers=0"], tmp_path / "run").data
    rows = data.splits["train"].labels[0]
    assert rows[there(rows), CORNERS].tolist() == [[0, 0, 20, 20], [8, 10, 48, 30]]  # of 40 x 20 pixels
    assert set(rows[:, SCALE].tolist()) == {0.5}
    batch = next(iter(data.eval_loader("val", rank=0, ranks=1)))
    assert batch.images.shape == (1, 3, 80, 80)
    assert (batch.images[0, :, :40] == 100).all()  # the third picture has this grey
    assert (batch.images[0, :, 40:] == 114).all()


def test_a_run_measures_boxes_and_the_commands_that_it_suggests_use_it(tmp_path):
    run = trained(*BRIEF, folder=tmp_path)
    results = json.loads((run / "results.json").read_text())
    pictures = tmp_path / "new"
    pictures.mkdir()
    for name, size in {"a.png": (91, 64), "b.jpg": (64, 64)}.items():
        Image.new("RGB", size, "white").save(pictures / name)
    assert results["best"]["monitor"] == "val/ap"
    assert {"ap", "ap50", "ap75", "ap_small", "recall", "loss"} <= results["test"].keys()
    assert imagelab("evaluate", f"run={run}", folder=tmp_path).status == 0
    again = json.loads((run / "evaluation.json").read_text())["metrics"]
    assert again == pytest.approx(results["test"], abs=1e-6)
    suggested = f"imagelab predict run={run} source=FILE_OR_FOLDER".replace("FILE_OR_FOLDER", str(pictures))
    said = imagelab(*suggested.split()[1:], "score=0", folder=tmp_path)
    assert (said.status, said.out.split(". ")[0]) == (0, "2 files, 0 of them unreadable")
    lines = read_rows((run / "predictions.csv").open())
    assert {line["file"] for line in lines} == {str(file) for file in pictures.iterdir()}
    assert {line["label"] for line in lines} <= {*load(run).classes, ""}
    # room: exporting
    assert imagelab("export", f"run={run}", "format=safetensors", folder=tmp_path).status == 0
    output = json.loads((run / "labels.json").read_text())["output"]
    fields = ["class", "left", "top", "right", "bottom", "score"]
    assert (output["name"], output["shape"], output["names"]) == ("boxes", ["batch", 100, 6], fields)
    # end
    copy = shutil.copytree(run, tmp_path / "copy")
    for word, members in {f"run={run}": 0, f"run=[{run},{copy}]": 2}.items():
        assert (
            imagelab("evaluate", word, "tta=flip", f"output={tmp_path}/{members}", folder=tmp_path).status
            == 0
        )
        found = json.loads((tmp_path / str(members) / "evaluation.json").read_text())
        assert found["tta"]["views"] == 2
        assert len(found.get("members", [])) == members
        assert found["metrics"].keys() == results["test"].keys() - {"loss"}
    for words, sentence in REFUSED.items():
        assert sentence in imagelab("predict", f"run={run}", f"source={pictures}", words, folder=tmp_path).err


# room: exporting
@pytest.mark.slow
@pytest.mark.parametrize("model", ["fcos", "faster_rcnn"])
def test_an_exported_file_finds_the_boxes_of_the_run_in_pixels_of_the_picture(model, tmp_path):
    given = [word for word in BRIEF if model == "fcos" or word != "model.convs=1"]
    run = trained(*given, *EXPORTED[model], "data.size=48", folder=tmp_path)
    picture = np.random.default_rng(0).integers(0, 256, (64, 91, 3), dtype=np.uint8)
    said = imagelab("export", f"run={run}", "format=torch_export", folder=tmp_path)
    assert said.status == 0, said
    with trusting([str(run / "model.pt2")]):
        file = load_exported(run / "model.pt2")
    for pictures in ([picture], [picture[:50], picture, picture[:, :30]]):
        found, wanted = file.images(pictures), load(run).images(pictures)
        for one, other in zip(found, wanted, strict=True):
            assert len(one.names) > 9
            assert (one.names, one.size) == (other.names, other.size)
            assert np.allclose(one.corners, other.corners, atol=1e-3)
            assert np.allclose(one.scores, other.scores, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("words", EXPORTED.values(), ids=EXPORTED)
def test_an_onnx_file_finds_the_boxes_of_the_run_also_where_there_are_none(words, tmp_path):
    given = [word for word in BRIEF if not words or word != "model.convs=1"]
    run = trained(*given, *words, folder=tmp_path)
    said = imagelab("export", f"run={run}", folder=tmp_path)
    assert said.status == 0, said
    agreement = json.loads((run / "export.json").read_text())
    assert max(one["value"] for one in agreement if one["name"] == "agreement") < 1e-4
    file, found = load_exported(run / "model.onnx"), load(run)
    rng = np.random.default_rng(0)
    noise = torch.from_numpy(rng.integers(0, 256, (5, 3, 64, 64), dtype=np.uint8))
    assert (found.predictions(noise)[..., 0] >= 0).any()
    assert distance(file.predictions(noise), found.predictions(noise), 64) < 1e-4


# end
def test_a_resumed_run_ends_with_the_bits_of_an_undisturbed_one(tmp_path):
    words = ["augment=[scale_jitter,mosaic]", "trainer.max_epochs=2"]
    run = trained(*BRIEF, *words, folder=tmp_path)
    checkpoints = run / "checkpoints"
    whole = read(checkpoints / "last.ckpt")
    (run / "results.json").unlink()
    (checkpoints / "previous.ckpt").replace(checkpoints / "last.ckpt")  # as if it had been killed just before
    before = read(checkpoints / "last.ckpt")["state_dict"]
    assert any(not torch.equal(value, whole["state_dict"][name]) for name, value in before.items())
    assert imagelab("train", f"resume={run}", folder=tmp_path).status == 0
    again = read(checkpoints / "last.ckpt")
    assert all(torch.equal(value, again["state_dict"][name]) for name, value in whole["state_dict"].items())
    assert again["imagelab"]["history"] == whole["imagelab"]["history"]


@pytest.mark.slow
def test_two_processes_measure_what_one_measures_on_a_split_that_they_cannot_halve(tmp_path):
    run = tmp_path / "run"
    words = [word for word in BRIEF if word not in ("trainer=cpu", "data.count=16")]
    words += ["trainer=ddp_cpu", "data.count=48", "data.batch_size=4", "model.score=0.001"]
    finish([*words, f"hydra.run.dir={run}"], tmp_path, real_ranks=True)
    results = json.loads((run / "results.json").read_text())["test"]  # of 10 images, which make 3 batches
    assert imagelab("evaluate", f"run={run}", folder=tmp_path).status == 0
    alone = json.loads((run / "evaluation.json").read_text())["metrics"]
    del results["loss"], alone["loss"]  # the mean of other batches
    assert alone == pytest.approx(results, abs=1e-6)
    assert results["recall"] > 0


def test_two_runs_with_one_seed_have_the_same_weights(tmp_path):
    states = [fitted(BRIEF, tmp_path / name).classifier.net.state_dict() for name in "ab"]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("words", [[], ["model=retinanet"], ["model=faster_rcnn"]])
def test_a_run_in_bfloat16_trains_and_measures(tmp_path, words):
    given = [word for word in BRIEF if word != "model.convs=1"]
    parts = fitted([*given, *words, "trainer.precision=bf16-mixed"], tmp_path)
    assert parts.trainer.global_step == parts.classifier.step_plan.total > 0
    found = parts.trainer.callback_metrics
    assert all(0 < float(found[f"{split}/loss"]) < 5 for split in ("train", "val"))
    assert "val/ap" in found


def test_averaged_weights_are_validated_too(tmp_path):
    found = fitted([*BRIEF, "trick=[ema]"], tmp_path).trainer.callback_metrics
    assert np.isfinite(float(found["val_ema/loss"]))


@pytest.mark.slow
def test_the_default_run_finds_nine_of_ten_digits_within_120_cpu_seconds(tmp_path):
    begun = time.process_time()
    assert imagelab("train", "task=detect", "trainer=cpu", "hydra.run.dir=run", folder=tmp_path).status == 0
    assert time.process_time() - begun < 120
    assert json.loads((tmp_path / "run" / "results.json").read_text())["test"]["ap50"] >= 0.9


def test_the_command_line_passes_arguments_to_a_backbone_and_refuses_others(tmp_path):
    words = [*BRIEF, "model.backbone=detnet", "model.levels=[3,4]", "data.count=8"]
    run = trained(*words, "model.backbone_args={width: 8, depths: [1, 1, 1, 1, 1]}", folder=tmp_path)
    card = read(run / "checkpoints" / "last.ckpt")["imagelab"]["model"]
    assert card["backbone_args"] == {"width": 8, "depths": [1, 1, 1, 1, 1]}
    assert len(load(run).images([np.zeros((64, 64), dtype=np.uint8)])) == 1
    said = imagelab("train", *words, "model.backbone_args={wide: 8}", folder=tmp_path)
    assert (said.status, "model.backbone_args={'wide': 8} does not suit detnet" in said.err) == (2, True)
