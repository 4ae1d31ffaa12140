"""Distillation: the loss of the paper, a teacher that nothing changes, unlabelled pictures, exact resume."""

import shutil
from typing import Any

import pytest
import torch
from PIL import Image

from imagelab.config.rules.combinations import problems
from imagelab.data.digits import Digits
from imagelab.loading import load, load_named
from imagelab.loss.soft_targets import soft_loss
from imagelab.problem import Problem
from imagelab.trick.distill import Distill, weights_mark
from tests.config.rules.test_tasks import composed
from tests.fitting import built, fitted
from tests.trick.watching import SMALL, assert_same_bits, trick_of, watched

STUDENT = [*SMALL, "model.widths=[4,4]", "trick=[distill]", "logger=[]"]


@pytest.fixture(scope="module")
def teacher(tmp_path_factory) -> str:
    """A trained network of digits."""
    folder = tmp_path_factory.mktemp("teacher")
    fitted([*SMALL, "model.widths=[8,8]", "trainer.max_epochs=2", "logger=[]"], folder)
    return str(folder / "checkpoints" / "best.ckpt")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> str:
    """Digits without labels, of those that a short run does not take."""
    folder = tmp_path_factory.mktemp("pictures")
    part: Any = built([*SMALL, "data.limit=400", "data.test_fraction=0.5"], folder / "run").data.splits[
        "train"
    ]
    for place in range(50):
        Image.fromarray(255 - part.images[place, 0].numpy()).save(folder / f"{place}.png")
    shutil.rmtree(folder / "run", ignore_errors=True)
    return str(folder)


def of(teacher: str, *words: str) -> list[str]:
    return [*STUDENT, f"trick.distill.teacher={teacher}", *words]


def first_batch(parts):
    seen = []
    step = parts.classifier.training_step

    def kept(batch, batch_idx):
        loss = step(batch, batch_idx)
        seen.append((batch, loss.detach().clone()))
        return loss

    object.__setattr__(parts.classifier, "training_step", kept)
    return seen


@pytest.mark.parametrize("words", [[], ["augment=[mixup,rotate]"]])
def test_the_loss_is_that_of_the_paper_on_the_same_images(words, teacher, tmp_path):
    parts = built(of(teacher, "trainer.max_epochs=1", *words), tmp_path)
    before = {name: value.clone() for name, value in parts.classifier.net.state_dict().items()}
    seen = first_batch(parts)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    batch, loss = seen[0]
    student, known = built(of(teacher, *words), tmp_path / "again").classifier.net.train(), load(teacher)
    student.load_state_dict(before)
    outputs = student(batch.images)
    hard = torch.nn.functional.cross_entropy(outputs, batch.targets)
    pixels = batch.images * torch.tensor(parts.data.preprocess.std) + torch.tensor(parts.data.preprocess.mean)
    expected = known.preprocess
    own = (pixels - torch.tensor(expected.mean)) / torch.tensor(expected.std)
    with torch.no_grad():
        soft = soft_loss(outputs, known.net(own), 4.0, tags=False)
    assert float(loss) == pytest.approx((0.1 * hard + 0.9 * soft).item(), abs=2e-6)


def test_the_teacher_stays_as_it_is_and_is_in_no_checkpoint(teacher, tmp_path):
    plain = watched(["model.widths=[4,4]", "logger=[]", "trainer.max_epochs=1"], tmp_path / "plain")
    parts = watched(of(teacher, "trick=[distill,ema]", "trainer.max_epochs=1"), tmp_path / "taught")
    trick = trick_of(parts, Distill)
    assert weights_mark(trick.net) == weights_mark(load(teacher).net)
    assert not trick.net.training
    assert all(not one.requires_grad and one.grad is None for one in trick.net.parameters())
    saved, usual = (
        torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
        for folder in (tmp_path / "taught", tmp_path / "plain")
    )
    assert saved["state_dict"].keys() == usual["state_dict"].keys()
    assert sum(group["params"].__len__() for group in parts.trainer.optimizers[0].param_groups) == sum(
        len(group["params"]) for group in plain.trainer.optimizers[0].param_groups
    )
    assert saved["imagelab"]["distill"] == {"teacher": teacher, "weights": weights_mark(trick.net)}
    assert 0 < parts.classifier.history[0]["train/loss"] < 100
    mine, theirs = (one.classifier.state_dict() for one in (plain, parts))
    assert not any(torch.equal(mine[name], theirs[name]) for name in mine if name.endswith("weight"))


def test_stopped_in_an_epoch_it_goes_on_to_the_same_bits(teacher, pictures, tmp_path):
    words = of(teacher, f"trick.distill.unlabelled={pictures}", "trick.distill.per_batch=20")
    words += ["trainer.max_epochs=2", "augment=[rotate,mixup]", "model.dropout=0.2"]
    whole = watched(words, tmp_path / "whole", copy_at=3)
    copy = tmp_path / "whole" / "copy.ckpt"
    card = torch.load(copy, weights_only=True)["imagelab"]
    parts = built(words, tmp_path / "resumed", known=card)
    parts.trainer.fit(parts.classifier, datamodule=parts.data, ckpt_path=copy)
    assert_same_bits(whole, parts)
    assert whole.classifier.history == parts.classifier.history
    other = card | {"distill": card["distill"] | {"weights": 1}}
    with pytest.raises(Problem, match="is not what it was when this run began; restore it"):
        built(words, tmp_path / "other", known=other)


def test_unlabelled_pictures_count_as_images_of_the_divergence(teacher, pictures, tmp_path):
    words = of(teacher, "trainer.max_epochs=1", "trick.distill.alpha=1", "model.norm=none")
    parts = built([*words, f"trick.distill.unlabelled={pictures}", "trick.distill.per_batch=96"], tmp_path)
    seen = first_batch(parts)
    before = {name: value.clone() for name, value in parts.classifier.net.state_dict().items()}
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    trick, (batch, loss) = trick_of(parts, Distill), seen[0]
    more = trick.unlabelled.batch(0, rank=0, ranks=1, device=torch.device("cpu"))
    assert more.shape == (96, 1, 8, 8)
    images = torch.cat([batch.images, more])
    parts.classifier.net.load_state_dict(before)
    outputs = parts.classifier.net.train()(images)
    wanted = soft_loss(outputs, trick.taught(images), 4.0, tags=False)
    assert float(loss) == pytest.approx(wanted.item(), rel=1e-5)


def test_classes_are_matched_by_name_and_more_are_left_out(teacher, tmp_path, capsys):
    parts = built(of(teacher, "data.classes=[7,2]"), tmp_path)
    assert (
        "tells 10 classes apart; only its outputs for the 2 of these data are used" in capsys.readouterr().out
    )
    images = torch.randn(3, 1, 8, 8)
    trick = trick_of(parts, Distill)
    assert parts.data.classes == ["7", "2"]
    seen = trick.expected.of(images, trick.student)
    assert torch.equal(trick.taught(images), trick.net(seen)[:, [7, 2]])


def test_a_teacher_of_other_pixels_gets_them_converted(teacher, tmp_path, capsys):
    parts = built(of(teacher, "data.size=12", "data.channels=colour"), tmp_path)
    trick = trick_of(parts, Distill)
    assert "was trained on 8 x 8 pixels in grey; the images of this run, 12 x 12 pixels in colour" in (
        " ".join(capsys.readouterr().out.split())
    )
    assert trick.taught(parts.data.sample(5)).shape == (5, 10)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task=multilabel", "loss=bce", "data=digits_facts"], "predicts classes, and this run learns tags"),
        (["data=stripes"], "does not know horizontal, vertical; it knows 0, 1, 2, and 7 more"),
    ],
)
def test_a_teacher_that_does_not_fit_is_a_sentence(words, sentence, teacher, tmp_path, monkeypatch):
    if "data=stripes" in words:
        monkeypatch.setattr(Digits, "__init__", renamed(Digits.__init__))
        words = []
    with pytest.raises(Problem, match=sentence):
        built(of(teacher, *words), tmp_path)


def renamed(begin):
    def begun(self, *given, **more):
        begin(self, *given, **more)
        self.classes = ["horizontal", "vertical", *self.classes[2:]]

    return begun


def test_a_copy_of_a_held_out_image_is_refused(teacher, tmp_path):
    test: Any = built(SMALL, tmp_path / "run").data.named["test"].images
    (tmp_path / "more").mkdir()
    Image.fromarray(test.images[0, 0].numpy()).save(tmp_path / "more" / "a.png")
    with pytest.raises(Problem, match=r"trick\.distill\.unlabelled: 1 images are copies of images of test"):
        built(of(teacher, f"trick.distill.unlabelled={tmp_path / 'more'}"), tmp_path)


def test_it_learns_tags_too(tmp_path):
    words = ["data=digits_facts", "task=multilabel", "loss=bce", "trainer.max_epochs=1", "logger=[]"]
    fitted([*SMALL, *words], tmp_path / "teacher")
    taught = of(str(tmp_path / "teacher" / "checkpoints" / "best.ckpt"), *words)
    parts = built([*taught, "trainer.precision=bf16-mixed"], tmp_path)
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    assert trick_of(parts, Distill).tags
    assert parts.trainer.global_step >= 2


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["task=autoencoder"], "trick.distill: needs a task that predicts classes or tags, and"),
        (["trick.distill.per_batch=4"], "trick.distill.per_batch: got 4 without images"),
        (
            ["trick.distill.unlabelled=x", "trainer.on_oom=halve"],
            "trick.distill.unlabelled: trainer.on_oom=halve divides only the labelled images",
        ),
        (
            ["trick.distill.unlabelled=x", "optimizer=lbfgs", "data.batch_size=full"],
            "trick.distill.unlabelled: LBFGS compares losses across steps",
        ),
        (["trick.distill.alpha=0"], "trick.distill.alpha: wants a number above 0, up to 1, got 0"),
    ],
)
def test_what_cannot_be_distilled_is_refused(words, sentence):
    found = "\n".join(problems(composed("trick=[distill]", "trick.distill.teacher=x", *words)))
    assert sentence in found


def test_a_network_of_timm_is_a_teacher_by_its_name(monkeypatch):
    from imagelab import imagenet

    made = []

    def untrained(*, pretrained, **more):
        made.append((pretrained, more["name"], more["num_classes"]))
        return torch.nn.Flatten()

    monkeypatch.setattr(imagenet, "timm_model", untrained)
    where, known = load_named("test_vit.r160_in1k", ["n01440764", "n01443537"])
    assert (where, made) == ("test_vit.r160_in1k", [(True, "test_vit.r160_in1k", 1000)])
    assert known.classes[:2] == ["n01440764", "n01443537"]
    assert known.preprocess.size == 160
    assert load_named("test_vit", ["tench"])[1].classes[0] == "tench"
    with pytest.raises(Problem, match="is not the folder of a run"):
        load_named("resnet18_of_mine", ["0"])
