"""The range test: it restores the run, tests the right rates and stops at divergence."""

import random

import numpy as np
import pytest
import torch
from lightning import Callback

from imagelab.build import build_classifier, build_data, build_trainer, build_tricks
from imagelab.config.compose import compose, plain
from imagelab.finders import lr_range
from imagelab.finders.lr_range import has_diverged, ladder, one_device, range_test
from imagelab.finders.lr_rule import suggested
from imagelab.problem import Problem

FEW = ["trainer=cpu", "data.limit=400", "data.batch_size=64", "model.widths=[4,8]"]


class Watch(Callback):
    """Notes the rate of every group, and the stages that move, at each step."""

    def __init__(self):
        self.seen, self.moving, self.batches = [], [], 0

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.batches += 1

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.seen.append({group["name"]: group["lr"] for group in optimizer.param_groups})
        self.moving.append([name for name, p in pl_module.net.named_parameters() if p.requires_grad])


class Trial:
    """A range test of the run that these words ask for, with all that it was made of."""

    def __init__(self, words, folder, *, steps=15, start=1e-5, end=1e-2, before=lambda trial: None):
        composed = compose("train", [*FEW, *words])
        assert composed.problems == []
        self.cfg = one_device(plain(composed.cfg), folder)
        self.data, self.watch = build_data(self.cfg), Watch()
        trainer = build_trainer(self.cfg, folder, callbacks=[], logger=False, enable_checkpointing=False)
        tricks = build_tricks(self.cfg["trick"], folder=folder, seed=0)
        self.classifier = build_classifier(self.cfg, self.data, trainer, tricks)
        before(self)
        tricks = [*tricks.values(), self.watch]
        self.rates, self.facts = ladder(start, end, steps), {"folder": folder, "tricks": tricks}
        self.curve = range_test(self.cfg, self.data, self.classifier, rates=self.rates, **self.facts)


def state(classifier):
    tensors = [*classifier.state_dict().values(), *(p.grad for p in classifier.parameters())]
    groups = [{k: v for k, v in group.items() if k != "params"} for group in classifier.groups]
    flags = [p.requires_grad for p in classifier.parameters()] + [m.training for m in classifier.modules()]
    rest = [classifier.schedule, classifier.step_plan, classifier.losses.epoch, classifier.history]
    rest += [classifier.correct, classifier.correct.images]
    return [t if t is None else t.clone() for t in tensors], [
        groups,
        flags,
        rest,
        vars(classifier)["_trainer"],
    ]


def draws():
    return random.random(), np.random.random(), torch.rand(3).tolist()  # noqa: NPY002


@pytest.mark.parametrize("words", [[], ["model.norm=none", "trick=[l2,dropconnect]", "finetune=gradual"]])
def test_weights_buffers_gradients_groups_random_state_and_files_are_restored(words, tmp_path):
    def before(tested):
        for parameter in tested.classifier.parameters():
            parameter.grad = torch.ones_like(parameter)
        tested.classifier.net.features[0].eval()
        tested.before = state(tested.classifier)
        random.seed(3), np.random.seed(3), torch.manual_seed(3)  # noqa: NPY002

    tested = Trial(words, tmp_path, end=10.0, before=before)
    after = draws()
    random.seed(3), np.random.seed(3), torch.manual_seed(3)  # noqa: NPY002
    assert after == draws()
    tensors, rest = state(tested.classifier)
    assert all(torch.equal(one, other) for one, other in zip(tensors, tested.before[0], strict=True))
    assert rest == tested.before[1]
    assert tested.data.trainer is None
    assert [*tmp_path.iterdir()] == []
    assert max(tested.curve.losses) > 1.2 * min(tested.curve.losses)  # it did train


def test_the_same_test_twice_gives_the_same_losses(tmp_path):
    tested = Trial(["augment=[crop,mixup]"], tmp_path)
    again = range_test(tested.cfg, tested.data, tested.classifier, rates=tested.rates, **tested.facts)
    assert again == tested.curve


@pytest.mark.parametrize(
    "words", [["optimizer=muon"], ["finetune=discriminative", "optimizer=momentum"], ["finetune=two_phase"]]
)
def test_groups_keep_the_ratios_of_their_rates_at_every_step(words, tmp_path):
    tested = Trial(words, tmp_path)
    peak = {group["name"]: group["lr"] for group in tested.classifier.groups}
    assert len(set(peak.values())) > 1 or "two_phase" in words[0]
    assert len(tested.watch.seen) == len(tested.curve.rates) == 15
    for rate, seen in zip(tested.curve.rates, tested.watch.seen, strict=True):
        factor = rate / tested.cfg["optimizer"]["lr"]
        assert {name: one / factor for name, one in seen.items()} == pytest.approx(peak, rel=1e-12)


def test_rates_rise_in_equal_ratios_from_the_first_to_the_last():
    rates = ladder(1e-7, 10.0, 100)
    assert (rates[0], rates[-1], len(rates)) == (1e-7, 10.0, 100)
    ratios = np.diff(np.log(rates))
    assert np.ptp(ratios) < 1e-12


def test_rates_are_values_of_optimizer_lr_before_scaling_by_the_batch(tmp_path):
    plain = Trial([], tmp_path)
    scaled = Trial(["optimizer.lr_scaling=linear", "optimizer.lr_base_batch=16"], tmp_path)
    assert scaled.curve.rates == plain.curve.rates
    for one, other in zip(plain.watch.seen, scaled.watch.seen, strict=True):
        assert {name: 4 * rate for name, rate in one.items()} == pytest.approx(other, rel=1e-12)


def test_a_step_has_as_many_batches_as_in_the_run_even_at_the_end_of_an_epoch(tmp_path):
    tested = Trial(["trainer.accumulate_grad_batches=4"], tmp_path, steps=7)
    assert tested.data.steps(1) == 6
    assert (len(tested.curve.losses), tested.watch.batches) == (7, 28)
    four = Trial([], tmp_path, steps=4, start=1e-9, end=1e-8).curve.losses
    assert tested.curve.losses[0] == pytest.approx(np.mean(four), rel=1e-3)


def test_several_devices_become_as_many_batches_per_step(tmp_path):
    words = [*FEW, "trainer=ddp_cpu", "trainer.devices=2", "trainer.accumulate_grad_batches=3"]
    cfg = one_device(plain(compose("train", words).cfg), tmp_path)
    trainer = build_trainer(cfg, tmp_path, callbacks=[], logger=False, enable_checkpointing=False)
    assert (trainer.world_size, trainer.accumulate_grad_batches) == (1, 6)


def test_stages_that_train_later_train_too_and_frozen_ones_do_not(tmp_path):
    gradual = Trial(["finetune=gradual"], tmp_path, steps=3)
    names = [name for name, _ in gradual.classifier.net.named_parameters()]
    assert gradual.watch.moving == [names] * 3
    probe = Trial(["finetune=linear_probe"], tmp_path, steps=3)
    assert probe.watch.moving == [["head.weight", "head.bias"]] * 3


def test_it_stops_soon_after_training_has_diverged(tmp_path):
    words = ["optimizer=sgd", "model.norm=none"]
    tested = Trial(words, tmp_path, start=1e-3, end=1e12, steps=60)
    losses = tested.curve.losses
    assert len(losses) == len(tested.curve.rates) < 40
    first = next(i for i, loss in enumerate(losses) if not loss < lr_range.FAR * max(losses[:10]))
    assert len(losses) - first <= 10


def test_divergence_is_a_non_finite_loss_or_one_that_stays_far_above_the_first_ones():
    quiet = [2.0, 2.4] * 6
    assert has_diverged([float("nan")])
    assert has_diverged([*quiet, 9.7, 9.7, 9.7])
    assert not has_diverged([*quiet, 9.7, 9.5, 9.7])
    assert not has_diverged([*quiet, 9.7, 9.7])


def test_nothing_is_suggested_if_the_network_cannot_learn(tmp_path):
    def deaf(tested):
        tested.classifier.net.head.register_forward_hook(
            lambda _, inputs, output: output.detach() + 0 * output
        )

    def shuffled(tested):
        labels = tested.data.splits["train"].labels
        labels[:] = np.random.default_rng(0).permutation(labels)

    words, ends = ["data.batch_size=16", "model.widths=[4]"], {"start": 1e-7, "end": 10.0, "steps": 100}
    assert suggested(Trial(words, tmp_path, before=deaf, **ends).curve) is None
    assert suggested(Trial(words, tmp_path, before=shuffled, **ends).curve) is None


@pytest.mark.parametrize(
    ("words", "name"), [([], "LBFGS"), (["optimizer._target_=tests.stranger.MyLBFGS"], "MyLBFGS")]
)
def test_a_line_search_is_refused(words, name, tmp_path):
    with pytest.raises(Problem, match=f"optimizer: {name} sets its step size by a line search"):
        Trial(["optimizer=lbfgs", *words, "data.batch_size=full"], tmp_path)
