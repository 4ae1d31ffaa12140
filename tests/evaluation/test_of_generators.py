# room: generators
"""`imagelab evaluate` of a generator: on pixels, on a judge's features, and its discriminator's scores."""

import json

import numpy as np
import pytest
import torch

from imagelab import loading
from imagelab.metrics.generated import generated_metrics
from tests import in_process

GAN = [
    *("task=gan", "trainer=cpu", "data.limit=120", "data.batch_size=16", "model.width=4", "model.latent=6"),
    *("trainer.max_epochs=3", "hydra.run.dir=gan"),
]
JUDGE = ["trainer=cpu", "data.limit=300", "trainer.max_epochs=2", "hydra.run.dir=judge"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a run of a generator and one of a classifier."""
    folder = tmp_path_factory.mktemp("judged")
    for words in (GAN, JUDGE):
        said = in_process.imagelab("train", *words, folder=folder)
        assert said.status == 0, said
    return folder


def evaluated(place, *words):
    said = in_process.imagelab("evaluate", "run=gan", "split=val", *words, folder=place)
    assert said.status == 0, said
    return json.loads((place / "gan" / "evaluation.json").read_text()), said.out


def test_on_pixels_the_metrics_are_those_of_the_run(place):
    found, _ = evaluated(place)
    results = json.loads((place / "gan" / "results.json").read_text())
    assert found["metrics"] == pytest.approx(results["val"], rel=1e-5)
    assert found["features"] == "pixels, averaged to 8 x 8"


def test_a_judge_compares_its_own_features_and_says_which_classes_it_finds(place):
    found, said = evaluated(place, "judge=judge")
    judge, generator = loading.load(place / "judge"), loading.load_generator(place / "gan")
    data = in_process_data(place)
    images, labels = data.splits["val"].images, torch.from_numpy(data.splits["val"].labels)
    made = made_images(generator, labels)
    real, fake = ([*map(picture, one)] for one in (images, made))
    features = [torch.from_numpy(judge.features(one)) for one in (real, fake)]
    wanted = generated_metrics(*features, labels)
    for name, value in wanted.items():
        assert found["metrics"][name] == pytest.approx(float(value), rel=1e-3), name
    right = judge.images(fake).argmax(axis=1) == labels.numpy()
    assert found["judged"]["generated"] == pytest.approx(right.mean())
    assert found["judged"]["generated_by_class"]["3"] == pytest.approx(right[labels.numpy() == 3].mean())
    assert f"{right.mean():.1%} of the generated images" in said


def test_the_discriminator_scores_three_kinds_of_images(place):
    found, _ = evaluated(place)
    net = loading.load_generator(place / "gan").net
    data = in_process_data(place)
    train = data.preprocess(data.splits["train"].images)
    with torch.no_grad():
        score = float(net(train, torch.from_numpy(data.splits["train"].labels)).mean())
    assert found["discriminator"]["training"] == pytest.approx(score, rel=1e-4)
    assert found["discriminator"]["generated"] == found["metrics"]["score_fake"]
    assert found["discriminator"]["held_out"] == found["metrics"]["score_real"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run=gan", "predictions=true"], "predictions: run=gan makes images"),
        (["run=judge", "judge=gan"], "judge: compares images that one run of task=gan makes"),
        (["run=gan", "judge=gan"], "task=gan and makes images"),
        (["run=gan", "judge=nowhere"], "nowhere"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(place, words, said):
    found = in_process.imagelab("evaluate", *words, folder=place)
    assert found.status == 2, found
    assert said in found.err


def picture(image):
    return image[0].numpy()


def made_images(generator, labels):
    """What the generator makes beside each image of val, by its number and class."""
    from imagelab.augment.noise import noise_of

    with torch.no_grad():
        noise = noise_of(torch.arange(len(labels)), generator.net.latent)
        return generator.preprocess.denormalise(generator.net.generator(noise, labels))


def in_process_data(place):
    from imagelab.build import build_data
    from imagelab.runs.files import read_config

    return build_data(read_config(place / "gan"))


@pytest.mark.slow
def test_weights_of_imagenet_can_judge(place):
    found, _ = evaluated(place, "judge=weights")
    assert np.isfinite(found["metrics"]["frechet"])
    assert "judged" not in found
