"""Optuna's study learns, survives a kill, and knows what was pruned, diverged or failed."""

import csv
import math
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import pytest
from optuna.distributions import CategoricalDistribution
from optuna.trial import TrialState, create_trial

from imagelab.problem import Problem
from imagelab.sweep.bayes import FILE, Bayes
from imagelab.sweep.space import parsed
from imagelab.sweep.study import open_study
from imagelab.sweep.trial import Row
from tests.sweep.made import sweep

RANGES = {
    "lr": parsed("lr", "tag(log,interval(1e-5,1))", "lr"),
    "depth": parsed("depth", "int(interval(1,9))", "depth"),
    "model": parsed("model", "a,b", "model"),
}


def search(folder, trials=40, prune="none", storage=None):
    found = Bayes(trials=trials, startup=8, prune=prune, patience=1, seed=0, storage=storage, space=None)
    found.begin(folder, RANGES, lower=False)
    return found


def quality(values):
    """Best at 0.003 and 7, with a."""
    away = abs(math.log10(float(values["lr"])) - math.log10(0.003)) + abs(int(values["depth"]) - 7) / 4
    return -away - (values["model"] == "b")


def row(number, values, status="finished"):
    return Row(number=number, status=status, overrides=values, value=quality(values))


def test_later_trials_are_better_than_random_ones(tmp_path):
    found, scores = search(tmp_path), []
    for number in range(40):
        values = found.overrides(number)
        scores.append(quality(values))
        found.tell(row(number, values))
    assert sum(scores[-10:]) / 10 > sum(scores[:8]) / 8 + 0.8
    assert found.overrides(40) is None


def test_a_killed_study_resumes_with_the_same_values(tmp_path):
    whole, cut = search(tmp_path / "whole", 13), search(tmp_path / "cut", 13)
    for number in range(13):
        values = whole.overrides(number)
        whole.tell(row(number, values))
        assert cut.overrides(number) == values
        if number in (3, 9, 11):  # killed while the trial ran: another process opens the file
            cut = search(tmp_path / "cut", 13)
            assert cut.overrides(number) == values
        cut.tell(row(number, values))
    assert len(cut.study.trials) == 13


@pytest.fixture(autouse=True)
def folders(tmp_path):
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()


def test_the_sampler_avoids_diverged_trials_and_ignores_failed_ones(tmp_path):
    found = search(tmp_path)
    for number, status in enumerate(["finished", "pruned", "diverged", "failed", "killed"]):
        found.tell(row(number, found.overrides(number), status))
    states = [trial.state for trial in open_study(tmp_path / FILE, lower=False).trials]
    assert states == [TrialState.COMPLETE, *[TrialState.PRUNED] * 2, *[TrialState.FAIL] * 2]


def test_a_resumed_study_draws_a_new_trial_for_each_that_failed(tmp_path):
    found = search(tmp_path, trials=5)
    for number, status in enumerate(["finished", "failed", "finished", "killed", "diverged"]):
        found.tell(row(number, found.overrides(number), status))
    assert found.overrides(5) is None
    resumed = search(tmp_path, trials=5)
    new = [resumed.overrides(number) for number in (5, 6)]
    assert all(values and values.keys() == RANGES.keys() for values in new)
    assert found.overrides(1) not in new
    assert resumed.overrides(7) is None


def test_concurrent_trials_have_different_values(tmp_path):
    found = search(tmp_path)
    for number in range(10):
        found.tell(row(number, found.overrides(number)))
    assert len({found.overrides(number)["lr"] for number in range(10, 14)}) == 4


def command(folder, storage, others):
    """A sweep with simulated trials in a process of its own, which waits for the others to begin."""
    others.wait(60)
    words = ["-m", "sweep=bayes", "sweep.trials=12", f'sweep.storage="{storage}"', "hydra.sweep.dir=here"]
    space = ["sweep.space=null", "optimizer.lr=tag(log,interval(1e-5,1))"]
    said = sweep(lambda cfg: -abs(math.log10(cfg["optimizer"]["lr"]) + 2), *words, *space, folder=folder)
    sys.exit(said.status)


def loop(folder, storage, others):
    """The same without the command."""
    others.wait(60)
    found = search(folder, 12, storage=storage)
    others.wait(60)  # the first of the two to make the tables of a database does not run all trials meanwhile
    for number in range(12):
        if not found.theirs(number):
            values = found.overrides(number)
            (folder / str(number)).mkdir()
            time.sleep(0.05)
            found.tell(row(number, values))


@pytest.fixture
def database():
    """The URL of an empty PostgreSQL of its own."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver has no package for this Python")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the server runs as a user of its own where root starts it
        server = pgserver.get_server(Path(folder) / "data")
        yield server.get_uri()
        server.cleanup()


@pytest.mark.parametrize(
    ("work", "storage"),
    [
        (loop, "{}/study.journal"),
        (loop, "sqlite:///{}/study.db"),
        pytest.param(command, "{}/study.journal", marks=pytest.mark.slow),
        pytest.param(loop, "postgresql", marks=pytest.mark.slow),
        pytest.param(command, "postgresql", marks=pytest.mark.slow),
    ],
)
def test_two_processes_that_share_only_the_storage_run_one_search(tmp_path, work, storage, request):
    shared, folders = storage.format(tmp_path), [tmp_path / "whole", tmp_path / "cut"]
    if storage == "postgresql":
        shared = request.getfixturevalue("database")
    processes = multiprocessing.get_context("fork")
    others = processes.Barrier(2)
    workers = [processes.Process(target=work, args=(folder, shared, others)) for folder in folders]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0]
    trials = open_study(shared, lower=False).get_trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 12
    assert len({tuple(trial.params.values()) for trial in trials}) == 12
    each = [{int(path.name) for path in folder.rglob("*") if path.name.isdigit()} for folder in folders]
    assert each[0] | each[1] == set(range(12))
    assert not each[0] & each[1]
    assert min(map(len, each)) >= 3
    if work is command:
        tables = [csv.DictReader((folder / "here/sweep.csv").open()) for folder in folders]
        assert max(len(list(rows)) for rows in tables) == 12


def test_a_worker_that_was_killed_goes_on_with_its_own_trials(tmp_path):
    shared = str(tmp_path / "shared.journal")
    one, two = search(tmp_path / "whole", 6, storage=shared), search(tmp_path / "cut", 6, storage=shared)
    assert [one.theirs(0), two.theirs(0), two.theirs(1)] == [False, True, False]
    values = [one.overrides(0), two.overrides(1)]
    two.tell(row(1, values[1]))
    again = search(tmp_path / "whole", 6, storage=shared)
    assert [again.theirs(number) for number in (0, 1)] == [False, True]
    assert again.overrides(0) == values[0]
    (other,) = again.others()
    assert (other.number, other.value) == (1, quality(values[1]))
    assert other.folder == tmp_path / "cut" / "1"


def test_another_search_in_the_same_storage_is_refused(tmp_path):
    search(tmp_path / "whole", storage=str(tmp_path / "shared.journal"))
    other = Bayes(
        trials=3,
        startup=8,
        prune="none",
        patience=1,
        seed=0,
        storage=str(tmp_path / "shared.journal"),
        space=None,
    )
    narrow = RANGES | {"lr": parsed("lr", "interval(0,1)", "lr")}
    with pytest.raises(Problem, match=r"holds another search, with lr=tag\(log"):
        other.begin(tmp_path / "cut", narrow, lower=False)


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ("redis://here", "redis:// is not a known database; choose postgresql://"),
        ("nowhere/study.journal", "there is no folder nowhere"),
        ("mysql://here/x", "needs a driver; run pip install mysqlclient"),
        ("postgresql+psycopg://here/x", r"needs a driver; run pip install 'psycopg\[binary\]'"),
        ("postgresql+psycopg2://here/x", "needs a driver; run pip install psycopg2-binary"),
        ("sqlite:////nowhere/x.db", "cannot be opened: "),
        ("damaged", "damaged is damaged, or is not a journal"),
    ],
)
def test_a_storage_that_cannot_be_used_is_a_sentence(tmp_path, monkeypatch, storage, sentence):
    monkeypatch.chdir(tmp_path)
    for driver in ("MySQLdb", "psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, driver, None)  # as if it were not installed
    (tmp_path / "damaged").write_text("\x00\x01 no journal\n{}\n")
    with pytest.raises(Problem, match=sentence):
        search(tmp_path / "whole", storage=storage)


HOSTILE = "{_target_: os.mkdir, path: stolen}"


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.RUNNING])
@pytest.mark.parametrize("kind", ["lr", "model"])
def test_a_value_in_a_journal_that_was_not_searched_never_becomes_an_override(tmp_path, state, kind):
    study = open_study(tmp_path / FILE, lower=False)
    choices = {name: CategoricalDistribution([HOSTILE]) for name in (kind,)}
    value = {"value": 1.0} if state == TrialState.COMPLETE else {}
    study.add_trial(create_trial(state=state, params={kind: HOSTILE}, distributions=choices, **value))
    with pytest.raises(Problem, match=r"study has (lr|model)=|belongs to another search"):
        search(tmp_path).overrides(0)
