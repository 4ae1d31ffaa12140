"""Extra images: which join, how many of each class, and that they move nothing else."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from imagelab.build import build_data
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.data.arrays import Arrays
from imagelab.data.chain import Chain
from imagelab.data.copies import copies_among
from imagelab.data.extra import ExtraFolder, generated_by, quotas
from imagelab.data.files import Files
from imagelab.problem import Problem
from imagelab.training.feasibility import refuse_other_data
from imagelab.training.run_card import label_marks
from tests.fitting import SHORT, built, fitted_with_copies
from tests.in_process import imagelab

DIGITS = [str(name) for name in range(10)]


def write_extra(folder, counts, side=8, channels=1):
    """Noise by class, as `generate` writes it; the pixels follow from class and number alone."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for k in range(count):
            rng = np.random.default_rng([int(name.encode().hex(), 16) % 2**32, k])
            pixels = rng.integers(0, 256, (side, side, channels), dtype=np.uint8)
            Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(folder / name / f"{k:05d}.png")
    rows = [
        f"{name}/{k:05d}.png,{name},True,logs/gan,0" for name, count in counts.items() for k in range(count)
    ]
    (folder / "generated.csv").write_text("\n".join(["file,label,generated,run,seed", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    return write_extra(tmp_path_factory.mktemp("digits"), dict.fromkeys(DIGITS, 90))


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """Real photos of two classes in files, and extra ones of another size."""
    root = tmp_path_factory.mktemp("pets")
    for split, count in (("train", 12), ("val", 4), ("test", 4)):
        for name in ("cat", "dog"):
            (root / "real" / split / name).mkdir(parents=True)
            for k in range(count):
                pixels = np.random.default_rng([ord(split[1]), ord(name[0]), k]).integers(0, 256, (20, 24, 3))
                Image.fromarray(pixels.astype(np.uint8)).save(root / "real" / split / name / f"{k}.png")
    write_extra(root / "extra", {"cat": 10, "dog": 10}, side=30, channels=3)
    return root


def data_of(*words):
    composed = compose("train", ["trainer=cpu", *words])
    assert composed.cfg is not None, composed.problems
    return build_data(plain(composed.cfg))


def of_pets(pets, *words):
    real = f"data.root={pets / 'real'}"
    return data_of("data=folder", real, "data.batch_size=4", "data.size=16", "data.workers=0", *words)


def test_a_share_is_that_of_the_final_number_and_of_each_class_in_proportion(digits):
    data = data_of("data.train_limit=400", f"data.extra={digits}", "data.extra_share=0.6")
    plain_run = data_of("data.train_limit=400")
    assert (plain_run.counts["train"], data.counts["train"], len(data.extra.files)) == (400, 1000, 600)
    real = np.bincount(plain_run.splits["train"].labels)
    both = np.bincount(data.splits["train"].labels)
    assert np.abs(both - 2.5 * real).max() < 1


@pytest.mark.parametrize("share", [0.1, 0.3, 0.55])
def test_quotas_add_up_to_the_share(share):
    real = np.array([17, 5, 91, 40])
    found = quotas(real, np.array([True, True, True, False]), share)
    assert found.sum() == round(share / (1 - share) * 153)
    assert found[3] == 0
    assert np.abs(found[:3] / found.sum() - real[:3] / 113).max() < 1 / found.sum()


def test_without_a_share_all_join_and_with_none_no_image_does(digits):
    assert len(data_of(f"data.extra={digits}").extra.files) == 900
    assert data_of(f"data.extra={digits}", "data.extra_share=0").counts == data_of().counts


def test_splits_statistics_and_what_is_measured_stay(digits):
    before, after = data_of(), data_of(f"data.extra={digits}", "data.extra_share=0.3")
    assert after.preprocess == before.preprocess
    marks = label_marks(after)
    assert {split: marks[split] for split in ("train", "val", "test")} == label_marks(before)
    for split in ("val", "test"):
        assert torch.equal(after.splits[split].images, before.splits[split].images)
    real = before.counts["train"]
    assert torch.equal(after.splits["train"].images[:real], before.splits["train"].images)


def test_pixels_and_labels_in_memory_are_those_of_the_files(digits):
    data = data_of(f"data.extra={digits}", "data.extra_share=0.3")
    real = data.counts["train"] - len(data.extra.files)
    for place in (0, 100, len(data.extra.files) - 1):
        path = data.extra.files.paths[place]
        assert data.splits["train"].images[real + place, 0].tolist() == np.asarray(Image.open(path)).tolist()
        assert f"/{data.classes[data.splits['train'].labels[real + place]]}/" in path


@pytest.mark.parametrize(("storage", "kind"), [("files", Chain), ("shrunk", Chain), ("memory", Arrays)])
def test_files_join_however_pictures_are_kept(pets, storage, kind):
    words = [f"data.storage={storage}", "augment=[flip]"]
    before = of_pets(pets, *words)
    data = of_pets(pets, *words, f"data.extra={pets / 'extra'}", "data.extra_share=0.4")
    assert data.counts == before.counts | {"train": 40}
    assert isinstance(data.splits["train"], kind)
    assert data.preprocess == before.preprocess
    batches = [
        data.prepare_batch(one, train=True, rank=0)
        for one in data.train_loader(epoch=0, start=0, rank=0, ranks=1)
    ]
    index = torch.cat([one.index for one in batches]).tolist()
    labels = torch.cat([one.labels for one in batches]).tolist()
    assert sorted(index) == list(range(40))
    assert labels == data.splits["train"].labels[index].tolist()
    assert {tuple(one.images.shape) for one in batches} == {(4, 3, 16, 16)}
    if kind is Chain:
        assert (data.splits["train"].photo(24, None) == data.extra.files.photo(0, None)).all()
        assert data.splits["train"].select(np.array([39])).photo(0, None).shape == (30, 30, 3)


def test_the_choice_is_one_of_content_and_a_larger_share_only_adds(digits, tmp_path):
    def contents(root, share):
        folder = ExtraFolder(root=str(root), share=share, known=DIGITS, max_pixels=10**6)
        return set(folder.choose(DIGITS, np.arange(300) % 10).files.contents().tolist())

    for k, path in enumerate(sorted(digits.rglob("*.png"))):
        target = tmp_path / path.parent.name / f"{(k * 577) % 900}.png"
        target.parent.mkdir(exist_ok=True)
        shutil.copy(path, target)
    assert contents(tmp_path, 0.3) == contents(digits, 0.3)
    assert contents(digits, 0.3) < contents(digits, 0.6)


def test_classes_left_out_of_the_run_stay_out_and_others_are_renumbered(digits):
    data = data_of("data.classes=[7,3]", f"data.extra={digits}")
    assert np.bincount(data.extra.files.labels).tolist() == [90, 90]
    assert all(
        f"/{'73'[label]}/" in path
        for path, label in zip(data.extra.files.paths, data.extra.files.labels, strict=True)
    )


def test_folds_each_get_the_extra_images_in_training_alone(digits):
    for fold in (0, 3):
        data = data_of("data.folds=4", f"data.fold={fold}", f"data.extra={digits}", "data.extra_share=0.2")
        before = data_of("data.folds=4", f"data.fold={fold}")
        assert data.counts["val"] == before.counts["val"]
        assert data.counts["train"] == round(before.counts["train"] / 0.8)


@pytest.mark.parametrize(
    ("counts", "share", "words"),
    [
        ({"cat": 2, "dgo": 2}, 0.3, [r"no class 'dgo'", "did you mean 'dog'"]),
        (
            {"cat": 10, "dog": 3},
            0.5,
            [r"data\.extra_share", "12 images of 'dog'", "has 3", "extra_share=0.2"],
        ),
        ({}, 0.3, ["no such folder"]),
    ],
)
def test_what_cannot_join_is_refused(pets, tmp_path, counts, share, words):
    root = tmp_path / "extra"
    if counts:
        write_extra(root, counts)
    with pytest.raises(Problem) as caught:
        of_pets(pets, f"data.extra={root}", f"data.extra_share={share}")
    assert all(word.replace("\\", "") in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize(("storage", "ending"), [("files", "png"), ("files", "bmp"), ("memory", "tiff")])
def test_a_copy_of_a_test_image_is_refused_however_it_is_stored(pets, tmp_path, storage, ending):
    root = write_extra(tmp_path / "extra", {"cat": 2, "dog": 2}, side=20, channels=3)
    copy = root / "dog" / f"9.{ending}"
    with Image.open(pets / "real" / "test" / "dog" / "1.png") as image:
        image.save(copy)
    with pytest.raises(Problem, match=rf"1 images are copies of images of test.*9\.{ending}"):
        of_pets(pets, f"data.extra={root}", f"data.storage={storage}")


def test_only_pictures_of_a_size_on_both_sides_are_decoded(pets, tmp_path):
    root = write_extra(tmp_path / "extra", {"cat": 3}, side=20, channels=3)
    with Image.open(pets / "real" / "val" / "cat" / "2.png") as image:
        image.save(root / "cat" / "9.bmp")
    seen = []

    class Watched(Files):
        def photo(self, place, least):
            seen.append(self.paths[place])
            return super().photo(place, least)

    files, held = (
        Watched(sorted(folder.glob("*.*")), np.zeros(4, np.int64))
        for folder in (root / "cat", pets / "real" / "val" / "cat")
    )
    assert copies_among(files, held).tolist() == [3]
    assert sorted(seen) == sorted([files.paths[3], *held.paths])


def test_copies_of_held_out_pixels_are_refused_where_there_are_no_files(tmp_path):
    root = write_extra(tmp_path / "extra", dict.fromkeys(DIGITS, 2))
    val = data_of().splits["val"]
    Image.fromarray(val.images[5, 0].numpy()).save(root / str(val.labels[5]) / "9.png")
    with pytest.raises(Problem, match="copies of images of val"):
        data_of(f"data.extra={root}")


def test_folders_of_splits_are_refused(pets):
    with pytest.raises(Problem, match="folders of splits"):
        of_pets(pets, f"data.extra={pets / 'real'}")


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (["data.extra_share=0.3"], "data.extra_share"),
        (["data.extra=x", "data.extra_share=1"], "data.extra_share"),
        (["data.extra=x", "task=simclr", "augment=[crop]"], "data.extra"),
        (["data.extra=x", "task=regress", "data=digits_facts"], "data.extra"),
    ],
)
def test_configs_that_cannot_work_are_refused(words, key):
    composed = compose("train", words)
    assert composed.cfg is not None
    assert any(one.startswith(f"{key}:") for one in composed.problems + validate.problems(composed.cfg))


def test_the_table_names_the_runs(digits, tmp_path):
    assert generated_by(digits) == ["logs/gan"]
    assert generated_by(tmp_path) == []


def test_a_run_says_how_many_joined_and_evaluation_needs_none(digits, tmp_path):
    extra = shutil.copytree(digits, tmp_path / "extra")
    words = [*SHORT, f"data.extra={extra}", "data.extra_share=0.3", "hydra.run.dir=run"]
    said = imagelab("train", *words, folder=tmp_path)
    assert said.status == 0, said
    assert "86 images" in said.out
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["extra"] == {
        "images": 86,
        "share": 0.3007,
        "folder": str(extra),
        "generated_by": ["logs/gan"],
    }
    shutil.rmtree(extra)
    for split in ("train", "test"):
        found = imagelab("evaluate", "run=run", f"split={split}", folder=tmp_path)
        assert found.status == 0, found
        assert "have changed" not in found.out
        before = results["test"]["accuracy"] if split == "test" else None
        assert before in (
            None,
            json.loads((tmp_path / "run" / "evaluation.json").read_text())["metrics"]["accuracy"],
        )


def test_a_resumed_run_has_the_same_bits_and_refuses_other_extra_images(digits, tmp_path):
    extra = shutil.copytree(digits, tmp_path / "extra")
    words = [*SHORT, "trainer.max_epochs=2", f"data.extra={extra}", "data.extra_share=0.5", "save_every=0"]
    for name in "abc":
        (tmp_path / name).mkdir()
    whole, copies = fitted_with_copies(words, tmp_path / "a")
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(copies[3])
    again = built(words, tmp_path / "b")
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=checkpoint)
    for name, weight in whole.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name]), name
    before = whole.classifier.card
    chosen = again.data.extra.files.paths[0]
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(chosen)
    with pytest.raises(Problem, match="extra"):
        refuse_other_data(before, built(words, tmp_path / "c").classifier.card, tmp_path)
