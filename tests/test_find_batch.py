"""`imagelab find_batch` finds the largest size that fits and the fastest, by steps that change nothing."""

import csv
import gc
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from imagelab.build import build_classifier, build_data, build_trainer, build_tricks
from imagelab.config.compose import compose, plain
from imagelab.find_batch import refuse
from imagelab.finders import device_memory
from imagelab.finders.batch_feed import full, pooled
from imagelab.finders.batch_findings import findings, summary
from imagelab.finders.batch_search import BatchSearch, Found, Measured, Tried
from imagelab.finders.batch_trial import Trials, alone
from imagelab.finders.device_memory import Meter, free_memory, meter_of
from imagelab.finding import read
from imagelab.problem import Problem
from imagelab.terminal.failure import out_of_memory
from imagelab.training.preserve import preserve_training
from tests.finders.test_lr_range import draws, state
from tests.in_process import imagelab

FEW = ["trainer=cpu", "data.limit=400", "data.batch_size=64", "model.widths=[8,16]"]
NOTHING = Meter(room=None, enforced=False, reset=lambda: None, peak=lambda: None)


@pytest.fixture(scope="module", autouse=True)
def frozen_again():
    """The search thaws what conftest.py froze for the garbage collector."""
    yield
    gc.collect()
    gc.freeze()


def search(run, cap=10**6, limit=None, patience=1e9) -> BatchSearch:
    return BatchSearch(run=run, cap=cap, limit=limit, patience=patience)


def device(most: int):
    """A device with memory for so many images, which is as fast for all sizes."""
    return lambda batch: Measured(batch / 1000, None) if batch <= most else None


@pytest.mark.parametrize("most", [1, 2, 7, 8, 9, 100, 127, 128, 777, 4096, 5001])
def test_the_largest_size_is_exactly_the_last_that_fits_and_headroom_is_left_below_it(most):
    found = search(device(most))
    assert found.largest() == most
    assert found.safe(None, 0.1) == max(1, most * 9 // 10)
    assert found.safe(None, 0.0) == most
    assert len(found.tried) <= 2 * np.log2(most + 1) + 5


def test_no_size_above_the_training_set_is_tried_and_all_of_it_needs_no_headroom():
    found = search(device(10**9), cap=300)
    assert found.largest() == 300
    assert found.safe(None, 0.1) == 300
    assert max(found.tried) == 300
    assert search(device(10**9), cap=3).largest() == 3
    nearly_full = search(lambda batch: Measured(1.0, 1000 + 10 * batch), cap=300)
    assert nearly_full.safe(4100, 0.1) == 270


def test_if_not_even_one_image_fits_it_says_so():
    with pytest.raises(Problem, match=r"not even one image fits .*data\.size"):
        search(lambda _: None).largest()


@pytest.mark.parametrize(("base", "each"), [(0, 1000), (50_000, 100), (300_000, 7)])
def test_on_a_cpu_memory_is_estimated_first_so_that_it_never_swaps(base, each):
    run: list[int] = []

    def measured(batch: int) -> Measured:
        run.append(batch)
        return Measured(batch / 1000, base + each * batch)

    limit = 1_000_000
    found = search(measured, limit=limit)
    assert found.largest() == (limit - base) // each
    assert max(base + each * batch for batch in run) <= limit
    assert len(run) <= np.log2(found.largest()) + 1  # the line leads there at once


@pytest.mark.parametrize(
    ("seconds", "fastest"),
    [
        (lambda b: b / (1000 - abs(b - 96) * 5), 96),  # a peak between two powers of two
        (lambda b: b / 1000, 8),  # nothing to gain
        (lambda b: 10 + b / 1000, 900),  # always something to gain
        (lambda b: 0.003 + b / 1000, 64),  # 92% of the highest speed at 32, 96% at 64
    ],
)
def test_the_fastest_size_is_the_smallest_of_equally_fast_ones(seconds, fastest):
    most = 160 if fastest == 96 else 900
    found = search(lambda batch: Measured(seconds(batch), None), cap=most)
    assert found.largest() == most
    assert found.fastest(most) == fastest


def test_sizes_that_would_take_longer_than_patience_are_not_run():
    run: list[int] = []

    def measured(batch: int) -> Measured:
        run.append(batch)
        return Measured(batch / 100, None)

    found = search(measured, patience=2.0)
    assert found.largest() == 128
    assert max(run) == 128
    assert found.tried[256].outcome == "time"
    assert found.safe(None, 0.1) == 128


@pytest.mark.parametrize(
    ("error", "out"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (MemoryError(), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_out_of_memory_is_distinguished_from_other_errors(error, out):
    assert out_of_memory(error) is out


class Trial:
    """Real steps on the processor, with a made device that has memory for so many images."""

    def __init__(self, words, folder: Path, most: int = 10**9, error: Exception | None = None):
        composed = compose("train", [*FEW, *words])
        assert composed.problems == []
        self.cfg, self.ranks = alone(plain(composed.cfg), folder)
        self.data = build_data(self.cfg)
        trainer = build_trainer(self.cfg, folder, callbacks=[], logger=False, enable_checkpointing=False)
        tricks = build_tricks(self.cfg["trick"], folder=folder, seed=0)
        self.classifier = build_classifier(self.cfg, self.data, trainer, tricks)
        self.seen: list = []  # the batches of each step
        step = self.classifier.training_step

        def limited(batch, batch_idx):
            if len(batch.labels) > most:
                raise error or torch.OutOfMemoryError("out of memory")
            self.seen.append((batch, self.classifier.trainer.global_step))
            return step(batch, batch_idx)

        object.__setattr__(self.classifier, "training_step", limited)
        self.trials = Trials(
            cfg=self.cfg,
            data=self.data,
            classifier=self.classifier,
            tricks=[*tricks.values()],
            folder=folder,
            meter=NOTHING,
            seconds=1e-6,
        )


@pytest.mark.parametrize("words", [[], ["model.norm=none", "trick=[l2,ema]", "finetune=gradual"]])
def test_real_steps_find_the_memory_limit_and_leave_everything_unchanged(words, tmp_path):
    tried = Trial(words, tmp_path, most=9)
    for parameter in tried.classifier.parameters():
        parameter.grad = torch.ones_like(parameter)
    before, averages = state(tried.classifier), dict(tried.classifier.averages)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = draws()[1:]
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    with preserve_training(tried.classifier, tried.data):
        found = search(tried.trials, cap=tried.data.counts["train"])
        assert found.largest() == 9
    assert draws()[1:] == expected
    after = state(tried.classifier)
    torch.testing.assert_close(after[0], before[0], rtol=0, atol=0)
    assert before[1] == after[1]
    assert tried.classifier.averages == averages
    assert list(tmp_path.rglob("*")) == []


def test_other_errors_are_not_mistaken_for_out_of_memory(tmp_path):
    tried = Trial([], tmp_path, most=1, error=RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes"):
        tried.trials(8)


def test_steps_are_those_of_the_run_with_full_batches_of_its_images(tmp_path):
    words = ["augment=[flip,mixup]", "trainer.accumulate_grad_batches=3", "trainer.precision=bf16-mixed"]
    tried = Trial(words, tmp_path)
    size = 300  # more than the 256 that are read, fewer than there are
    measured = tried.trials(size)
    assert measured is not None
    assert measured.seconds > 0
    assert {tuple(batch.images.shape) for batch, _ in tried.seen} == {(size, 1, 8, 8)}
    assert {tuple(batch.targets.shape) for batch, _ in tried.seen} == {(size, 10)}  # room: augment/mixup
    assert [step for _, step in tried.seen] == [place // 3 for place in range(len(tried.seen))]
    assert len(tried.seen) >= 9  # one step to warm up, two to measure
    first, second = (batch.images for batch, _ in tried.seen[:2])
    assert not torch.equal(first, second)  # draws of their own


def test_the_pool_of_images_repeats_view_by_view(tmp_path):
    data = Trial(["task=simclr", "monitor=val/loss"], tmp_path).data
    pool = pooled(data)
    assert len(pool.labels) == 2 * 256
    batch = full(pool, 300, data.views, seed=0, step=1)
    places = np.arange(300) % 256
    assert batch.index.tolist() == [*places, *places]
    assert torch.equal(batch.images[300:], pool.images[256 + places])
    assert len(set(batch.keys.tolist())) == 600
    assert not torch.equal(batch.keys, full(pool, 300, data.views, seed=0, step=2).keys)


def test_the_peak_on_a_cpu_is_the_memory_held_at_once():
    meter_of(torch.device("cpu"), share=0.5).reset()  # what other tests have left behind
    meter = meter_of(torch.device("cpu"), share=0.5)
    meter.reset()
    low = meter.peak()
    held = torch.ones(40 * 2**20 // 4)
    del held
    high = meter.peak()
    meter.reset()
    again = meter.peak()
    if low is None or high is None or again is None:
        pytest.skip("this system does not tell the peak of a process")
    assert 30 * 2**20 < high - low < 60 * 2**20
    assert again < high - 30 * 2**20


def test_free_memory_is_the_minimum_of_machine_and_control_group(tmp_path, monkeypatch):
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:   500 kB\n")
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    limit.write_text("max\n")
    used.write_text("1000\n")
    monkeypatch.setattr(device_memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(device_memory, "CGROUPS", ((limit, used),))
    assert free_memory() == 500 * 1024
    limit.write_text("101000\n")
    assert free_memory() == 100_000
    room = meter_of(torch.device("cpu"), share=0.8).room
    assert room == 80_000


def made(configured: int, **rest) -> dict:
    sizes = [Tried(8, "fits", 0.1, 1e6), Tried(64, "fits", 0.2, 8e6), Tried(72, "memory", None, None)]
    facts = {"tried": sizes, "largest": 71, "safe": 64, "fastest": 64, "cap": 500, "ranks": 2, "window": 3}
    found = Found(**facts, device="cpu", room=2.0**30)
    optimizer = {"lr": 0.1, "lr_scaling": "none", "lr_base_batch": 256} | rest
    assert summary(found) == (
        "Fastest: `data.batch_size=64` (320 images/s). Largest: `data.batch_size=64`, which leaves "
        "headroom: 71 fit."
    )
    listed = findings(found, {"data": {"batch_size": configured}, "optimizer": optimizer})
    return {finding.name: finding for finding in listed}


@pytest.mark.parametrize(("batch", "status"), [(8, "WARN"), (64, "OK"), (70, "WARN"), (72, "FAIL")])
def test_the_configured_batch_gets_a_status(batch, status):
    assert made(batch)["configured batch"].status == status


def test_the_effect_on_the_rate_counts_all_devices_and_accumulated_batches():
    assert "optimizer.lr_scaling=linear optimizer.lr_base_batch=48" in made(8)["learning rate"].fix
    scaled = made(8, lr_scaling="linear", lr_base_batch=48)["learning rate"]
    assert scaled.value == {"largest 64": 0.8, "configured 8": 0.1}
    assert scaled.fix == ""


def test_the_command_writes_its_findings_and_shows_what_to_paste(tmp_path):
    words = [*FEW, "data.limit=100", "seconds=0.001"]
    said = imagelab("find_batch", *words, "hydra.run.dir=out", folder=tmp_path)
    assert said.status == 0, said
    (fastest, largest) = map(int, re.findall(r"data\.batch_size=(\d+)[. ][^\n]*?", said.out.splitlines()[-1]))
    findings = {finding.name: finding for finding in read(tmp_path / "out" / "find_batch.json")}
    assert findings["largest batch"].value == largest == 100  # all training images
    assert findings["fastest batch"].value == fastest
    rows = list(csv.DictReader((tmp_path / "out" / "find_batch.csv").open()))
    assert [int(row["batch"]) for row in rows][:3] == [8, 16, 32]
    best = max(float(row["images/s"]) for row in rows)
    assert float(next(row for row in rows if int(row["batch"]) == fastest)["images/s"]) >= 0.94 * best
    assert "Speed of each batch size" in (tmp_path / "out" / "find_batch.html").read_text()
    files = sorted(path.suffix for path in tmp_path.rglob("*") if path.is_file())
    assert files == [".csv", ".html", ".json", ".svg"]
    assert json.loads((tmp_path / "out" / "find_batch.json").read_text())[0]["status"] == "OK"


def test_an_optimizer_whose_class_declares_a_line_search_is_refused():
    cfg = plain(compose("find_batch", ["optimizer=lbfgs"]).cfg or {})
    for target, name in {"torch.optim.LBFGS": "LBFGS", "tests.stranger.MyLBFGS": "MyLBFGS"}.items():
        with pytest.raises(Problem, match=f"optimizer: {name} needs all images in one step"):
            refuse(cfg | {"optimizer": cfg["optimizer"] | {"_target_": target}})


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["data.batch_size=full"], "data.batch_size: full uses all images in one step"),
        (["optimizer=lbfgs", "data.batch_size=full"], "data.batch_size: full uses all images in one step"),
        (["headroom=1"], "headroom: wants a number in [0, 0.9], got 1"),
        (["share=0"], "share: wants a number in [0.01, 1], got 0"),
        (["patience=0"], "patience: wants a number above 0, got 0"),
    ],
)
def test_configs_without_a_batch_size_to_find_are_refused(words, sentence, tmp_path):
    said = imagelab("find_batch", *FEW, *words, folder=tmp_path)
    assert said.status == 2
    assert sentence in said.err
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
