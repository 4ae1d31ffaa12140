# room: generators
"""Training a pair of networks: who learns when, how steps are counted, and that a stop changes no bit."""

import csv
import re
from itertools import pairwise

import numpy as np
import pytest
import torch
from lightning import Callback
from PIL import Image

from imagelab.augment.noise import noise_of
from imagelab.checkpoints.durable import read
from imagelab.config import validate
from imagelab.config.compose import compose, plain
from imagelab.generator import Generator
from imagelab.loading import load, load_generator
from imagelab.logger.pictures import grid, legible
from imagelab.problem import Problem
from imagelab.reports.samples import sample_section  # room: reports
from imagelab.runs import files
from tests import in_process
from tests.fitting import built, fitted_with_copies

WORDS = [
    *("task=gan", "trainer=cpu", "data.limit=96", "data.batch_size=16", "model.width=4", "model.latent=6"),
    *("trainer.max_epochs=2", "trainer.log_every_n_steps=1", "save_every=0"),
]


def words_of(*more: str) -> list[str]:
    return [*WORDS, *more]


def problems(*words: str) -> list[str]:
    composed = compose("train", ["task=gan", *words])
    assert composed.cfg is not None, composed.problems
    return [*composed.problems, *validate.problems(composed.cfg)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An undisturbed run with everything on, its folder, and copies of its checkpoint by step."""
    folder = tmp_path_factory.mktemp("gan")
    tricks = "trick=[ema,r1,instance_noise]"
    words = words_of(tricks, "model.norm=group", "task.flip_share=0.1", "task.discriminator_steps=2")
    files.write_config(plain(compose("train", words).cfg), folder)
    parts, copies = fitted_with_copies(words, folder)
    return words, parts, folder, copies


def test_a_batch_is_one_step_for_plan_schedule_and_log(whole):
    _, parts, folder, _ = whole
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    logged = [row for row in rows if row["train/loss"]]
    assert parts.trainer.global_step == parts.classifier.step_plan.total == len(logged)
    for name in ("loss_generator", "score_real", "score_fake", "r1"):
        assert all(np.isfinite(float(row[f"train/{name}"])) for row in logged[1:]), name


@pytest.mark.parametrize("step", [3, 4, 7])
def test_a_run_resumed_after_any_step_equals_an_uninterrupted_one(whole, step, tmp_path):
    words, parts, _, copies = whole
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(copies[step])
    again = built(words, tmp_path)
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=checkpoint)
    for name, weight in parts.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name]), name
    assert again.saver.best == parts.saver.best


@pytest.fixture(scope="module")
def clipped(tmp_path_factory):
    """A run with clipped weights and a slower generator, and what was seen after each of its steps."""
    folder = tmp_path_factory.mktemp("clipped")
    words = ["loss=wasserstein", "trick=[weight_clip]", "task.generator_rate=0.25", "schedule=linear"]
    parts = built(words_of(*words, "trainer.max_epochs=1"), folder)
    pair, norms, seen = parts.classifier.net, [], []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            norms.append(
                float(torch.cat([one.grad.flatten() for one in pair.discriminator.parameters()]).norm())
            )

        def on_train_batch_end(self, *_):
            seen.append(firsts(pair.state_dict()))

    parts.trainer.callbacks.append(Watch())
    parts.trainer.fit(parts.classifier, datamodule=parts.data)
    return parts, folder, norms, seen


def firsts(state):
    """A weight of each network: the generator's, the discriminator's."""
    return [state[name].clone() for name in ("generator.start.weight", "discriminator.score.weight")]


def moved(seen):
    """Which of both networks moved in each step after the first."""
    return [[not torch.equal(*both) for both in zip(*pairs, strict=True)] for pairs in pairwise(seen)]


def test_both_networks_learn_in_every_step(clipped):
    assert moved(clipped[3]) == [[True, True]] * (len(clipped[3]) - 1)
    assert len(clipped[3]) > 2


def test_the_generator_learns_after_every_second_step_of_the_discriminator(whole, tmp_path):
    words, parts, _, copies = whole
    assert "task.discriminator_steps=2" in words
    seen, total = [], parts.classifier.step_plan.total
    for step in range(1, total + 1):
        (tmp_path / "one.ckpt").write_bytes(copies[step])
        state = read(tmp_path / "one.ckpt")["state_dict"]
        seen.append(firsts({name.removeprefix("net."): one for name, one in state.items()}))
    batches = [step % (total // 2) for step in range(1, total)]  # after the first, in both epochs
    assert moved(seen) == [[batch % 2 == 1, True] for batch in batches]


def test_rates_of_both_networks_keep_their_ratio(clipped):
    first, second = (optimizer.param_groups[0] for optimizer in clipped[0].trainer.optimizers)
    assert first["name"].startswith("discriminator/")
    assert second["name"].startswith("generator/")
    assert second["lr"] == pytest.approx(first["lr"] / 4)
    assert 0 < second["lr"] < second["initial_lr"]


def test_the_balance_of_began_is_part_of_the_state_of_a_run(tmp_path):
    """Resumed after a step, k moves on from where it was, to the same bits."""
    words = words_of("model=began", "loss.rate=0.5", "loss.ratio=0.7", "trainer.max_epochs=1")
    parts, copies = fitted_with_copies(words, tmp_path / "whole")
    checkpoint = tmp_path / "last.ckpt"
    checkpoint.write_bytes(copies[4])
    before = float(read(checkpoint)["state_dict"]["task.criterion.share"])
    assert 0 < before < 1
    assert before != float(parts.classifier.task.criterion.share)
    again = built(words, tmp_path)
    again.trainer.fit(again.classifier, datamodule=again.data, ckpt_path=checkpoint)
    for name, weight in parts.classifier.state_dict().items():
        assert torch.equal(weight, again.classifier.state_dict()[name]), name


def test_images_are_in_the_range_of_the_generator(tmp_path):
    data = built(WORDS, tmp_path).data
    assert data.preprocess.mean == data.preprocess.std == [0.5]
    images = data.preprocess(
        torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 1, 8, 8)
    )
    assert images.unique().tolist() == pytest.approx([-1, 1])


@pytest.mark.parametrize(
    ("words", "real", "fake"),
    [
        ([], 1.0, 0.0),
        (["task.smooth_real=0.1"], 0.9, 0.0),
        (["task.smooth_real=0.1", "task.smooth_fake=0.05", "task.flip_labels=true"], 0.05, 0.9),
    ],
)
def test_only_the_targets_of_the_discriminator_are_smoothed_and_flipped(words, real, fake, tmp_path):
    task = built(words_of(*words), tmp_path).classifier.task
    scores = torch.zeros(4)
    assert task._targets(scores, real=True).tolist() == pytest.approx([real] * 4)
    assert task._targets(scores, real=False).tolist() == pytest.approx([fake] * 4)
    assert float(task.loss_of_generator(scores)) == pytest.approx(np.log(2))
    assert (float(task.loss_of_generator(scores + 9)) < 0.01) == (real > fake)


def test_a_share_of_targets_changes_sides_in_training_only(tmp_path):
    task = built(words_of("task.flip_share=0.2"), tmp_path).classifier.task
    torch.manual_seed(0)
    assert float(task._targets(torch.zeros(5000), real=True).mean()) == pytest.approx(0.8, abs=0.02)
    assert task.eval()._targets(torch.zeros(50), real=True).tolist() == [1.0] * 50


def test_noise_on_the_layers_fades_and_is_off_in_evaluation(tmp_path):
    parts = built(words_of("trick=[instance_noise]", "trick.instance_noise.std=0.5"), tmp_path)
    critic = parts.classifier.net.discriminator
    noise = next(one for one in parts.trainer.callbacks if type(one).__name__ == "InstanceNoise")
    noise.on_fit_start(parts.trainer, parts.classifier)
    layer = critic.layers[0]
    images, seen = torch.zeros(200, 1, 8, 8), []
    layer.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    for noise.now, critic.training in ((0.5, True), (0.1, True), (0.5, False)):
        layer.train(critic.training)
        layer(images)
    assert [float(one.std()) for one in seen] == pytest.approx([0.5, 0.1, 0.0], rel=0.02)


def test_weights_are_clipped_after_each_step(clipped):
    largest = {
        name: max(float(one.abs().max()) for one in net.parameters())
        for name, net in clipped[0].classifier.net.named_children()
    }
    assert largest["discriminator"] <= 0.01 < largest["generator"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["model=small_cnn"],
            "model: task=gan trains a generator and a discriminator, and SmallCNN .* model=dcgan or began",
        ),
        (["loss=cross_entropy"], "loss: .*set .*loss=hinge or .*loss=wasserstein"),
        (["loss=wasserstein"], "needs a critic of bounded slope; set trick=.gradient_penalty."),
        (["trick=[gradient_penalty]"], "trick.gradient_penalty: .*BatchNorm ties .* set model.norm=instance"),
        (["loss=hinge", "task.smooth_real=0.1"], "task.smooth_real: Hinge has no probabilities .* got 0.1"),
        (["model=began", "loss=hinge"], "loss: Hinge needs scores of either sign, and .* leave out loss"),
        (["loss=equilibrium"], "loss: Equilibrium balances the errors .* DCGAN has none; set model=began"),
        (["model=began", "task.smooth_real=0.1"], "task.smooth_real: Equilibrium has no probabilities"),
        (["trainer.accumulate_grad_batches=2"], "trainer.accumulate_grad_batches: .* data.batch_size"),
        (["trainer.gradient_clip_val=1"], "trainer.gradient_clip_val: "),
        (["trainer.precision=16-mixed"], "trainer.precision: .*bf16-mixed"),
        (["trainer=fsdp"], "trainer: .* set trainer=ddp"),
        (["augment=[mixup]"], "augment: mixup blends"),
        (["task=classify", "model=dcgan"], "model: DCGAN is a generator and a discriminator; set task=gan"),
        (["task=classify", "trick=[r1]"], "trick.r1: needs a discriminator, and task=classify has none"),
    ],
)
def test_what_cannot_work_is_refused_with_the_remedy(words, said):
    found = problems(*words)
    assert any(re.search(said, one) for one in found), found


ONE_LOSS = {
    "swa": "passes images alone through the network, and those of task=gan take noise or classes, too",
    "activation_stats": "passes images alone",
    "feature_maps": "passes images alone",
    "progressive_size": "passes images alone",
    "sharpness": "computes the loss of a batch once more, and task=gan has two",
    "gradient_noise_scale": "computes the loss of a batch once more",
    "sam": "takes the gradients of one loss at other weights",
    "dropconnect": "replaces weights where one network sees a batch",
    "agc": "clips before the step of the discriminator only",
    "batch_growth": "task=gan takes a step per batch, so batches cannot grow; set data.batch_size",
}


@pytest.mark.parametrize("trick", ONE_LOSS)
def test_a_trick_that_follows_one_loss_is_refused_once(trick):
    (found,) = problems(f"trick=[{trick}]")
    assert found.startswith(f"trick.{trick}: {ONE_LOSS[trick]}")


def test_a_batch_in_parts_is_refused_beside_two_losses():
    (found,) = problems("trainer.on_oom=halve")
    assert found.startswith("trainer.on_oom: halve computes one loss in parts, and task=gan has two; set ")


def test_tricks_that_go_along_with_two_networks_are_taken():
    sound = "ema,l1,l2,elastic,first_layer,early_stopping,instance_noise,weight_clip"
    assert problems(f"trick=[{sound}]", "loss=wasserstein") == []
    assert problems("trick=[gradient_penalty,r1]", "model.norm=group", "trainer.on_oom=stop") == []


def test_the_logged_norm_is_that_of_the_gradients_of_the_discriminator_alone(clipped):
    parts, folder, norms, _ = clipped
    rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    logged = [float(row["grad_norm"]) for row in rows if row["grad_norm"]]
    assert len(logged) == parts.classifier.step_plan.total
    assert logged == pytest.approx(norms, rel=1e-5)


def test_generated_images_are_a_data_set_and_follow_from_the_seed(whole, tmp_path):
    _, _, run, _ = whole
    made = {}
    for name, more in {"a": [], "b": [], "c": ["seed=1"], "few": ["classes=[7,3]", "count=5"]}.items():
        words = ["generate", f"run={run}", f"output={name}", "count=20", *more]
        assert in_process.imagelab(*words, folder=tmp_path).status == 0
        made[name] = {
            file.relative_to(tmp_path / name): np.array(Image.open(file))
            for file in (tmp_path / name).rglob("*.png")
        }
    assert sorted({path.parent.name for path in made["a"]}) == [*"0123456789"]
    assert all(np.array_equal(made["a"][path], made["b"][path]) for path in made["a"])
    assert not all(np.array_equal(made["a"][path], made["c"][path]) for path in made["a"])
    assert sorted(map(str, made["few"])) == [f"3/{k:05d}.png" for k in range(2)] + [
        f"7/{k:05d}.png" for k in range(3)
    ]
    with (tmp_path / "few" / "generated.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["label"], row["generated"]) for row in rows} == {("7", "True"), ("3", "True")}
    again = in_process.imagelab("generate", f"run={run}", "output=a", folder=tmp_path)
    assert again.status == 2
    assert "output=a exists already" in again.err


def test_what_cannot_be_generated_is_said_in_a_sentence(whole, tmp_path):
    _, _, run, _ = whole
    for words, said in {
        ("classes=[0,0]",): "classes: '0' is listed 2 times; list each class once",
        ("classes=[11]",): "classes: the generator does not know '11'",
        ("count=3",): "count: wants 10 or more",
    }.items():
        found = in_process.imagelab("generate", f"run={run}", "output=x", *words, folder=tmp_path)
        assert said in found.err, found
    with pytest.raises(Problem, match=r"task=gan and makes images; .*imagelab generate run="):
        load(run)


@pytest.mark.parametrize("command", ["find_lr", "find_batch"])
def test_commands_that_follow_one_loss_refuse_two(command, tmp_path):
    said = in_process.imagelab(command, *WORDS, "hydra.run.dir=out", folder=tmp_path)
    assert said.status == 2
    assert f"imagelab {command} follows one loss, and task=gan has two" in said.err


def test_a_generator_in_python(whole):
    _, _, run, _ = whole
    generator = load_generator(run)
    assert isinstance(generator, Generator)
    three = generator.images(3, 12, seed=5)
    assert three.shape == (12, 8, 8, 1)
    assert np.array_equal(three[:4], generator.images(3, 4, seed=5))
    assert not np.array_equal(three[:4], generator.images(4, 4, seed=5))


def test_the_nearest_training_images_stand_beside_generated_ones(whole):
    """Each pair of cells: what the generator makes, and what a search over all images finds."""
    _, parts, folder, _ = whole
    data, pair = parts.data, parts.classifier.net.eval()
    with torch.no_grad():
        index = torch.arange(32)
        made = pair.generator(noise_of(index, pair.latent), index % 10)
    images = data.preprocess(data.splits["train"].gather(np.arange(len(data.splits["train"]))))
    nearest = images[(made[:, None] - images[None]).square().flatten(2).sum(dim=2).argmin(dim=1)]
    both = torch.stack([made, nearest], dim=1).flatten(0, 1)
    saved = np.array(Image.open(folder / "images" / "nearest.png"))
    assert np.array_equal(saved, grid(legible(data.preprocess.denormalise(both))))
    titles = [section.title for section in sample_section(folder)]  # room: reports
    assert titles == ["Samples", "Nearest training images"]  # room: reports
