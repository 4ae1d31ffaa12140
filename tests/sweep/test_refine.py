"""The region spanned by the best trials, in numbers."""

import math

import pytest

from imagelab.sweep.plan import make_plan
from imagelab.sweep.refine import configurations, narrowed
from imagelab.sweep.space import Values, parsed
from imagelab.sweep.trial import Row
from tests.sweep.made import sweep


def ranked(**values):
    """Rows, the best first, of columns of values."""
    count = len(next(iter(values.values())))
    return [
        Row(
            number=i,
            status="finished",
            overrides={name: str(v[i]) for name, v in values.items()},
            value=1 - i,
        )
        for i in range(count)
    ]


def ranges(**texts):
    return {name: parsed(name, text, name) for name, text in texts.items()}


def test_the_best_quarter_of_twelve_trials_spans_the_new_range_plus_half_a_log_step():
    rows = ranked(lr=[0.003, 0.01, 0.005, *[0.1] * 9])
    found = narrowed(ranges(lr="tag(log,interval(1e-4,1e-1))"), rows, 0.25)["lr"]
    half = 10 ** (3 / 12 / 2)  # three decades, twelve trials
    assert (found.low, found.high) == pytest.approx((0.003 / half, 0.01 * half), rel=1e-3)
    assert found.text().startswith("tag(log,interval(")


def test_at_least_three_trials_count_and_no_range_exceeds_the_former_one():
    found = narrowed(ranges(x="interval(0,1)"), ranked(x=[0.02, 0.5, 0.3, 0.9]), 0.25)["x"]
    assert (found.low, found.high) == (0, 0.5 + 1 / 4 / 2)


def test_integers_stay_integers_and_a_list_keeps_the_best_values():
    rows = ranked(n=[32, 40, 36, 200], optimizer=["sgd", "adam", "sgd", "lion"])
    found = narrowed(ranges(n="int(interval(16,256))", optimizer="lion,adam,sgd"), rows, 0.25)
    assert (found["n"].low, found["n"].high, found["n"].whole) == (16, 40 + 240 / 4 / 2, True)
    assert found["optimizer"] == Values(("adam", "sgd"))


def test_rounding_does_not_leave_the_former_range():
    ends = "interval(0.123456,0.567891)"
    found = narrowed(ranges(x=ends), ranked(x=[0.123456, 0.567891, 0.3]), 0.25)["x"]
    assert found.text() == ends
    near = narrowed(ranges(x="interval(1000,1000.1)"), ranked(x=[1000.01, 1000.02, 1000.03, 1000.09]), 0.25)
    assert (near["x"].low, near["x"].high) == (1000, 1000.03)


def test_seeds_and_folds_are_not_narrowed_to_lucky_ones():
    texts = {"seed": "0,1,2", "data.fold": "range(0,5)", "lr": "interval(0,1)"}
    parts = {name: parsed(name, text, name) for name, text in texts.items()}
    found = narrowed(
        parts, ranked(**{"seed": [1] * 4, "data.fold": [3] * 4, "lr": [0.1, 0.2, 0.3, 0.9]}), 0.25
    )
    assert (found["seed"], found["data.fold"]) == (parts["seed"], parts["data.fold"])
    assert found["lr"].high < 0.9


def test_the_mean_over_seeds_says_which_configurations_are_best():
    results = {
        "0.1": [0.7, 0.7, 0.7],
        "0.2": [0.9, 0.2, 0.2],
        "0.3": [0.8, None, 0.8],
        "0.4": [0.6, 0.6, 0.6],
    }
    rows = [
        Row(
            number=0,
            status="diverged" if value is None else "finished",
            overrides={"lr": lr, "seed": str(seed)},
            value=value,
        )
        for lr, values in results.items()
        for seed, value in enumerate(values)
    ]
    assert [row.overrides["lr"] for row in configurations(rows, lower=False)] == ["0.1", "0.4", "0.2"]


CONSTANT = "imagelab.schedule.decay.Constant"


def accuracy(cfg):
    """Best at a rate of 0.01."""
    return 1 - abs(math.log10(cfg["optimizer"]["lr"]) + 2) / 10


def test_refine_searches_the_best_region_with_the_overrides_of_the_coarse_sweep(tmp_path):
    lengths, rates = [], []

    def longer(cfg):
        lengths.append((cfg["trainer"]["max_epochs"], cfg["seed"], cfg["schedule"]["_target_"]))
        rates.append(cfg["optimizer"]["lr"])
        return accuracy(cfg)

    wide = ["-m", "sweep=coarse", "sweep.trials=6", "seed=7"]
    wide += ["model.dropout=interval(0,0.5)", "hydra.sweep.dir=wide"]
    said = sweep(longer, *wide, folder=tmp_path)
    assert said.status == 0, said.out + said.err
    assert lengths == [(3, 7, CONSTANT)] * 6
    spread = max(rates) / min(rates)
    lengths.clear()
    rates.clear()
    said = sweep(
        longer, "-m", "sweep=refine", "from=wide", "sweep.trials=2", "hydra.sweep.dir=near", folder=tmp_path
    )
    assert said.status == 0
    assert lengths == [(15, 7, CONSTANT)] * 2
    assert max(rates) / min(rates) < spread / 30
    assert all(abs(math.log10(rate) + 2) < 0.7 for rate in rates)
    assert "model.dropout           interval(0,0.5)" not in said.out
    assert "model.dropout           interval(0" in said.out
    assert "optimizer.lr            tag(log,interval(" in said.out


@pytest.mark.parametrize("asked", ["schedule=cosine", "schedule.pct_start=0.2", "experiment=cifar10_fast"])
def test_a_schedule_that_is_asked_for_stays(asked):
    plans = [make_plan(["sweep=coarse", *words]).words for words in ([], [asked])]
    assert ["schedule=constant" in words for words in plans] == [True, False]


MISTAKES = {
    "sweep=refine": "from: sweep=refine continues another sweep; set from=FOLDER, or from=last",
    "sweep=refine from=nowhere": "from=nowhere is not the folder of a sweep (no sweep.yaml in it).",
    "sweep=refine from=last": "from=last: there is no sweep below logs/ yet; run `imagelab train",
    "sweep=refine from=few": "from=few: 2 configurations have finished, but a region needs 3; resume it with",
    "sweep=refine from=few sweep.best=2": "sweep.best: wants a number above 0, up to 1, got 2",
}


def test_what_cannot_be_refined_is_refused_before_anything_starts(tmp_path):
    assert sweep(accuracy, "-m", "optimizer.lr=0.1,0.2", "hydra.sweep.dir=few", folder=tmp_path).status == 0
    for words, sentence in MISTAKES.items():
        said = sweep(lambda _: pytest.fail("it ran"), "-m", *words.split(), folder=tmp_path)
        assert said.status == 2
        *head, line = said.err.splitlines()
        assert head in ([], ["This run cannot start:"])
        assert line.strip().startswith(sentence)
    assert [path.name for path in tmp_path.iterdir()] == ["few"]
