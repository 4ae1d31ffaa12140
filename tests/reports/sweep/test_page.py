"""The report on a sweep finds what matters, does not mistake luck for a difference, and says what is next."""

import csv
import json
import math
import re

import numpy as np
import pytest

from imagelab import finding
from imagelab.reports.sweep.edge import edges, wider
from imagelab.reports.sweep.findings import sweep_findings
from imagelab.reports.sweep.importance import explained, importances
from imagelab.reports.sweep.luck import pooled_deviation
from imagelab.reports.sweep.page import importance_section, on_sweep
from imagelab.reports.sweep.parallel import BEST, colours_of, parallel
from imagelab.reports.sweep.rows import Sweep, place, read_sweep
from imagelab.sweep.space import Interval, parsed
from tests import browser, in_process
from tests.reports.sweep.made_sweeps import curve, made

LR = "tag(log,interval(1e-4,1))"
SPACE = {"optimizer.lr": LR, "model.dropout": "interval(0,0.5)", "optimizer": "choice(adamw,momentum)"}


def drawn(folder, result, count=24, **more) -> Sweep:
    """A random search whose results are a function of rate, dropout, optimizer and a draw of N(0, 1)."""
    rng = np.random.default_rng(0)
    trials = []
    for _ in range(count):
        values = {
            "optimizer.lr": float(f"{10 ** rng.uniform(-4, 0):.4g}"),
            "model.dropout": round(rng.uniform(0, 0.5), 3),
            "optimizer": ["adamw", "momentum"][rng.integers(2)],
        }
        trials.append((values, result(*values.values(), rng.normal())))
    return read_sweep(made(folder, SPACE, trials, **more))


def inside(lr, _dropout, _name, noise):
    """The best rate is in the middle of the range; far too high ones diverge."""
    return "diverged" if lr > 0.5 else 0.9 - 0.1 * (math.log10(lr) + 2) ** 2 + 0.005 * noise


def by_name(sweep: Sweep) -> dict[str, finding.Finding]:
    return {one.name: one for one in sweep_findings(sweep)}


def test_an_optimum_inside_the_range_is_important_and_a_parameter_without_effect_is_not_resolved(tmp_path):
    found = {one.name: one for one in importances(drawn(tmp_path, inside))}
    assert found["optimizer.lr"].resolved
    assert found["optimizer.lr"].share > 0.7
    assert not found["model.dropout"].resolved
    assert not found["optimizer"].resolved
    findings = by_name(drawn(tmp_path, inside))
    assert findings["importance of optimizer.lr"].value == found["optimizer.lr"].share
    assert findings["importance of model.dropout"].value == "not resolved"


def test_only_an_importance_that_is_resolved_has_a_bar(tmp_path):
    (section,) = importance_section(drawn(tmp_path, inside))
    assert re.findall(r"<title>([^<:]*), share: ", section.body) == ["optimizer.lr"]
    (section,) = importance_section(drawn(tmp_path / "few", inside, count=5))
    assert "<svg" not in section.body


def test_names_count_too(tmp_path):
    sweep = drawn(tmp_path, lambda _lr, _p, name, noise: 0.8 + 0.1 * (name == "adamw") + 0.01 * noise)
    first = importances(sweep)[0]
    assert (first.name, first.resolved) == ("optimizer", True)


def test_if_nothing_matters_one_sweep_in_twenty_names_a_parameter():
    rng = np.random.default_rng(1)
    chances = []
    for _ in range(200):
        x = rng.uniform(size=12)
        chances.append(explained(np.stack([x, x**2], axis=1), rng.permutation(12).astype(float))[1])
    assert 0.01 <= np.mean(np.array(chances) < 0.05) <= 0.10
    assert np.mean(chances) == pytest.approx(0.5, abs=0.08)


def test_the_share_is_what_a_parabola_explains_of_the_ranks_minus_luck():
    rng = np.random.default_rng(2)
    x, ranks = np.linspace(0, 1, 40), rng.permutation(40) / 40 + 3 * (np.linspace(0, 1, 40) - 0.4) ** 2
    fit = np.polyval(np.polyfit(x, ranks, 2), x)
    plain = 1 - ((ranks - fit) ** 2).sum() / ((ranks - ranks.mean()) ** 2).sum()
    luck = 2 / 39  # two columns of 39 degrees of freedom
    assert explained(np.stack([x, x**2], axis=1), ranks)[0] == pytest.approx(
        (plain - luck) / (1 - luck), abs=0.01
    )


def test_with_few_trials_nothing_is_resolved(tmp_path):
    assert not any(one.resolved for one in importances(drawn(tmp_path, inside, count=5)))


@pytest.mark.parametrize(("best", "upper", "ends"), [(0.5, True, (1e-4, 100)), (2e-4, False, (1e-6, 1))])
def test_if_the_best_trials_cluster_at_an_end_the_range_is_widened_there(tmp_path, best, upper, ends):
    typed = ("sweep=random", "data=cifar10", f"optimizer.lr={LR}", "model.dropout=interval(0,0.5)")
    sweep = drawn(tmp_path, lambda lr, *_: 0.9 - 0.1 * abs(math.log10(lr / best)), typed=typed)
    (edge,) = edges(sweep)
    assert (edge.name, edge.upper) == ("optimizer.lr", upper)
    found = parsed("a", edge.wider, "a")
    assert isinstance(found, Interval)
    assert found.log
    assert (found.low, found.high) == pytest.approx(ends, rel=0.02)
    findings = by_name(sweep)
    assert findings["range of optimizer.lr"].status == "WARN"
    assert findings["next"].value == (
        f"imagelab train -m sweep=random data=cifar10 'model.dropout=interval(0,0.5)' "
        f"'optimizer.lr={edge.wider}'"
    )


def test_a_best_trial_inside_or_at_the_edge_by_luck_does_not_widen_the_range(tmp_path):
    assert edges(drawn(tmp_path, inside)) == []
    trials = [
        ({"optimizer.lr": lr}, value) for lr, value in [(0.9, 0.91), (1e-3, 0.9), (2e-3, 0.9), (1e-2, 0.89)]
    ]
    assert edges(read_sweep(made(tmp_path, {"optimizer.lr": LR}, trials))) == []


@pytest.mark.parametrize(
    ("text", "upper", "wanted"),
    [
        ("choice(0.001,0.003,0.01)", True, "0.001,0.003,0.01,0.033"),
        ("choice(16,32,64)", False, "8,16,32,64"),
        ("interval(0.1,0.5)", False, "interval(0.05,0.5)"),
        ("int(interval(16,256))", True, "int(interval(16,376))"),
        ("int(interval(0,256))", True, "int(interval(0,384))"),
        ("int(interval(0,256))", False, None),
        ("int(interval(8,256))", False, "int(interval(4,256))"),
        ("choice(1,2,4)", False, None),
        ("choice(0,1,2)", False, None),
        ("choice(0.9,0.99,0.999)", True, "0.9,0.99,0.999,0.9999"),
        ("interval(0.5,0.9)", True, "interval(0.5,0.95)"),
        ("interval(100,101)", True, "interval(100,101.5)"),
        ("tag(log,int(interval(1,64)))", False, None),
    ],
)
def test_wider_ranges_keep_their_step(text, upper, wanted):
    assert wider(parsed("a", text, "a"), upper=upper, fits=lambda _: True) == wanted


def repeated(folder, gap) -> Sweep:
    results = [0.90, 0.92, 0.91, 0.90 - gap, 0.92 - gap, 0.91 - gap]
    trials = [
        ({"seed": i % 3, "optimizer.lr": 0.1 if i < 3 else 0.2}, value) for i, value in enumerate(results)
    ]
    return read_sweep(
        made(folder, {"seed": "choice(0,1,2)", "optimizer.lr": "choice(0.1,0.2)"}, trials, search="")
    )


def test_a_difference_below_the_spread_of_repeats_does_not_count(tmp_path):
    small, large = (by_name(repeated(tmp_path / str(gap), gap)) for gap in (0.005, 0.1))
    assert pooled_deviation(repeated(tmp_path / "a", 0.1).setups) == pytest.approx(0.01)
    assert small["luck"].value["sd over seeds or folds"] == pytest.approx(0.01)
    assert small["luck"].value["error of the lead"] == pytest.approx(0.01 * math.sqrt(2 / 3))
    assert (small["luck"].status, large["luck"].status) == ("WARN", "OK")
    assert "not more than the spread of repeats" in small["luck"].why
    assert large["best"].value == {"trials": 3, "val/accuracy": pytest.approx(0.91)}
    assert large["next"].value == "imagelab train data=cifar10 optimizer.lr=0.1"
    assert "importance of seed" not in small


def test_after_a_coarse_sweep_refine_is_suggested_and_after_a_stopped_one_resume(tmp_path):
    coarse = drawn(tmp_path / "a", inside, search="imagelab.sweep.coarse.Coarse")
    assert by_name(coarse)["next"].value == f"imagelab train -m sweep=refine from={tmp_path / 'a'}"
    stopped = drawn(tmp_path / "b", lambda lr, *rest: "stopped" if lr > 0.3 else inside(lr, *rest))
    assert by_name(stopped)["next"].value == f"imagelab train resume={tmp_path / 'b'}"
    once = drawn(tmp_path / "c", inside)
    assert by_name(once)["next"].value.endswith(" seed=0,1,2,3,4")


def test_failed_trials_are_counted_with_a_warning(tmp_path):
    sweep = drawn(tmp_path, lambda lr, *rest: "failed" if lr < 1e-3 else inside(lr, *rest))
    went = by_name(sweep)["trials"]
    assert went.status == "WARN"
    assert sum(went.value.values()) == 24
    assert went.value["failed"] == sum(row.status == "failed" for row in sweep.rows) > 0


def test_lines_pass_through_the_values_on_the_scale_of_the_search(tmp_path):
    trials = [
        ({"optimizer.lr": lr}, value)
        for lr, value in [(1e-4, 0.5), (1e-2, 0.7), (1, 0.9), (1e-3, "diverged")]
    ]
    sweep = read_sweep(made(tmp_path, {"optimizer.lr": LR}, trials))
    colours = colours_of(sweep.rows)
    text = parallel(sweep.rows, sweep.ranges, sweep.monitor, colours)
    lines = re.findall(
        r'<polyline points="([^"]+)"[^>]*stroke="(#\w+)"[^>]*><title>trial (\d): ([^<]+)<', text
    )
    starts = {int(number): float(points.split()[0].split(",")[1]) for points, _, number, _ in lines}
    assert starts[1] == pytest.approx((starts[0] + starts[2]) / 2, abs=0.1)  # 0.01 halfway in logarithms
    ends = {int(number): float(points.split()[-1].split(",")[1]) for points, _, number, _ in lines}
    assert ends[2] < ends[1] < ends[0] < ends[3]
    assert {int(number): colour for _, colour, number, _ in lines} == colours
    assert (colours[2], lines[-1][2]) == (BEST, "2")  # drawn last, above all others
    assert "diverged; optimizer.lr=0.001" in next(told for _, _, number, told in lines if number == "3")
    assert text.count("stroke-dasharray") == 1
    assert "lr (log)" in text


def test_positions_are_on_the_scale_of_the_search():
    assert place(parsed("a", "choice(64,16,32)", "a"), "32") == 0.5
    assert place(parsed("a", "choice(sgd,adamw)", "a"), "sgd") is None


def test_the_command_writes_a_page_and_findings_and_prints_the_next_command(tmp_path):
    drawn(tmp_path / "here", inside, count=12)
    for number in (0, 1, 2):
        curve(tmp_path / "here" / str(number), [2.0, 1.0, 0.5 + number / 10])
    said = in_process.imagelab("report", "sweep=here", folder=tmp_path)
    assert said.status == 0, said
    findings = {one.name: one for one in finding.read(tmp_path / "here" / "report.json")}
    assert said.out.splitlines()[-1] == findings["next"].value
    page = (tmp_path / "here" / "report.html").read_text()
    for part in ("Leaderboard", "Parallel coordinates", "Importance", "Curves"):
        assert f">{part}</h2>" in page
    assert "val/loss of 3 trials" in page
    for row in csv.DictReader((tmp_path / "here" / "sweep.csv").read_text().splitlines()):
        assert f"optimizer.lr={row['optimizer.lr']}, model.dropout={row['model.dropout']}" in page


def test_the_findings_of_a_cross_validation_are_in_the_report(tmp_path):
    trials = [({"data.fold": fold}, 0.9 + fold / 100) for fold in range(3)]
    folder = made(tmp_path / "k", {"data.fold": "range(0,3)"}, trials, search="imagelab.sweep.kfold.KFold")
    whole = finding.Finding(
        name="out-of-fold accuracy", status="INFO", value=0.91, expected="", why="", fix=""
    )
    (folder / "kfold.json").write_text(json.dumps(finding.plain([whole])))
    on_sweep(str(folder), None, "report")
    found = {one.name: one for one in finding.read(folder / "report.json")}
    assert found["out-of-fold accuracy"].value == 0.91
    assert found["best"].value == {"trials": 3, "val/accuracy": pytest.approx(0.91)}
    assert found["next"].value == f"imagelab evaluate sweep={folder}"
    assert ">Repeats</h2>" in (folder / "report.html").read_text()


def test_the_folds_of_the_best_configuration_are_averaged(tmp_path):
    trials = [({"lr": lr, "data.fold": fold}, 0.9 + lr - fold / 100) for lr in (0.0, 0.05) for fold in (0, 1)]
    space = {"lr": "choice(0,0.05)", "data.fold": "range(0,2)"}
    sweep = read_sweep(made(tmp_path, space, trials, search="imagelab.sweep.kfold.KFold"))
    assert by_name(sweep)["next"].value == f"imagelab evaluate 'run=[{tmp_path}/2,{tmp_path}/3]'"


@pytest.mark.slow
def test_in_a_browser_the_leaderboard_sorts_without_errors(tmp_path):
    drawn(tmp_path / "here", inside, count=12)
    on_sweep(str(tmp_path / "here"), None, "report")
    script = """
        const board = [...document.querySelectorAll("table")][1];
        const heads = [...board.querySelectorAll("th")];
        const column = heads.findIndex(head => head.textContent.includes("optimizer.lr"));
        heads[column].querySelector("button").click();
        const cells = [...board.querySelectorAll("tbody tr")].map(row => row.cells[column]);
        const lines = document.querySelectorAll("svg polyline").length;
        return [cells.map(cell => Number(cell.dataset.v || cell.textContent)), lines];
    """
    seen = browser.load(tmp_path / "here" / "report.html", script)
    assert seen.errors == []
    rates, lines = seen.returned
    assert (len(rates), lines) == (12, 12)
    assert rates in (sorted(rates), sorted(rates, reverse=True))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "run: wants one of run=FOLDER and sweep=FOLDER (or last), got neither"),
        (["run=a", "sweep=b"], "run: wants one of run=FOLDER and sweep=FOLDER (or last), got both"),
        (["sweep=there"], "sweep=there is not the folder of a sweep"),
    ],
)
def test_a_folder_that_is_not_a_sweep_is_refused(tmp_path, words, sentence):
    said = in_process.imagelab("report", *words, folder=tmp_path)
    assert said.status == 2
    assert sentence in said.err
