"""Schedule-free learning trains one set of weights and uses another: the average of all."""

import random

import torch

from imagelab.checkpoints.durable import read
from imagelab.config.rules.combinations import problems
from tests import in_process
from tests.config.rules.test_tasks import composed
from tests.fitting import SHORT, fitted
from tests.runs_of_the_command import assert_same, outcome
from tests.test_resume import kill_somewhere

WORDS = [*SHORT, "optimizer=schedule_free", "trainer.max_epochs=3"]


def test_what_is_validated_and_saved_is_the_average_of_the_weights_that_steps_reach(tmp_path):
    parts = fitted(WORDS, tmp_path)
    (optimizer,) = parts.trainer.optimizers
    group = optimizer.param_groups[0]
    assert not group["train_mode"]
    weight = group["params"][0]
    saved = read(tmp_path / "checkpoints" / "last.ckpt")["state_dict"]
    name = next(n for n, p in parts.classifier.named_parameters() if p is weight)
    assert torch.equal(saved[name], weight)
    used, reached = weight.detach().clone(), optimizer.state[weight]["z"]
    optimizer.train()
    torch.testing.assert_close(weight, used.lerp(reached, 1 - 0.9))
    assert not torch.equal(used, reached)


def test_statistics_of_batch_norm_are_those_of_the_average(tmp_path):
    parts = fitted([*WORDS, "data.batch_size=full"], tmp_path)
    net, data = parts.classifier.net, parts.data
    norm = next(layer for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    seen = []
    net.features[0].register_forward_hook(lambda *given: seen.append(given[-1]))
    (batch,) = data.train_loader(epoch=2, start=0, rank=0, ranks=1)
    net.eval()(data.prepare_batch(batch, train=True, rank=0).images)
    torch.testing.assert_close(norm.running_mean, seen[0].mean(dim=(0, 2, 3)))


def test_killed_and_resumed_it_ends_in_the_same_bits(tmp_path):
    words = [*WORDS, "trainer.max_epochs=5", "save_every=0.01", "model.dropout=0.2"]
    whole, killed = in_process.trained(*words, folder=tmp_path), tmp_path / "killed"
    kill_somewhere([*words, f"hydra.run.dir={killed}"], tmp_path, "epoch end", random.Random(3))
    assert in_process.imagelab("train", f"resume={killed}", folder=tmp_path).status == 0
    assert_same(outcome(whole), outcome(killed))


def test_a_second_average_is_refused():
    found = problems(composed("optimizer=schedule_free", "trick=[ema]"))
    assert "trick.ema: AdamWScheduleFree averages the weights itself; leave it out" in found
