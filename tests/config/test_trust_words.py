"""Overrides from a stranger's sweep run no code."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from imagelab.config.trust import refuse_untrusted_words
from imagelab.problem import Problem
from imagelab.sweep import started, table  # room: sweep
from imagelab.sweep.trial import Row  # room: sweep
from tests import in_process


@pytest.mark.parametrize(
    "word",
    [
        "model._target_=os.system",
        "+trick={x: {_target_: os.system}}",
        '\'model={"_target_": "os.system"}\'',
        "hydra.sweeper._target_=os.system",
        f"hydra.searchpath=[file:{'///tmp/evil'}]",
        "hydra/launcher=evil",
        "++hydra.callbacks.x._target_=os.system",
        "--config-dir=/tmp/evil",
        "-cd=/tmp/evil",
        "trust=os",
        "+trust=[os,posix]",
        "+model@hydra.sweeper=small_cnn",
        "model.widths=${oc.create:{_target_: os.system}}",
        "model.widths='${oc.decode:${data.root}}'",
        "model={_target_ : os.system}",
        "model._target_=torch.nn.Linear,os.system",
        "model._target_=str(os.system)",
        'launcher.more={account: "a\ntouch executed"}',  # room: sweep
        'launcher.partition="a\ntouch executed"',  # room: sweep
        'launcher.more={export: "ALL,BASH_ENV=evil.sh"}',  # room: sweep
        "launcher.more.task_prolog=evil.sh",  # room: sweep
    ],
)
def test_overrides_in_a_strangers_sweep_cannot_run_code(word, tmp_path):
    with pytest.raises(Problem, match="could run any code"):
        refuse_untrusted_words([word], "sweep.yaml")
    # room: sweep
    content = {"typed": [word], "choice": None, "fixed": [], "space": {}, "monitor": "val/loss"}
    key, _, value = word.partition("=")
    for carrier in (
        content,
        content | {"typed": [], "fixed": [word]},
        content | {"typed": [], "space": {key: value}},
    ):
        (tmp_path / started.FILE).write_text(yaml.safe_dump(carrier))
        with pytest.raises(Problem, match="could run any code"):
            started.read(tmp_path)
    table.write(tmp_path, [Row(number=0, status="finished", overrides={key: value}, value=1.0)], "val/loss")
    with pytest.raises(Problem, match="could run any code"):
        table.read(tmp_path)
    # end


def called(path: str = "", **_: object) -> None:
    """What a hostile sweep would have us call."""
    Path(path).write_text("executed")


# room: sweep
def test_a_refined_sweep_runs_nothing_that_a_stranger_searched(tmp_path):
    target, canary = f"{__name__}.called", tmp_path / "executed"
    space = {"model._target_": f"choice({target},torch.nn.Linear)", "+model.path": f"choice({canary})"}
    content = {"typed": [], "choice": None, "fixed": [], "monitor": "val/loss"}
    rows = [
        Row(
            number=k,
            status="finished",
            overrides={"model._target_": target, "+model.path": str(canary)},
            value=1.0,
        )
        for k in range(3)
    ]
    rows = [replace(row, overrides={**row.overrides, "optimizer.lr": f"0.{row.number + 1}"}) for row in rows]
    (tmp_path / "theirs").mkdir()
    space |= {"optimizer.lr": "interval(0.01,1)"}
    (tmp_path / "theirs" / started.FILE).write_text(yaml.safe_dump(content | {"space": space}))
    table.write(tmp_path / "theirs", rows, "val/loss")
    said = in_process.imagelab(
        "train", "-m", "sweep=refine", "from=theirs", "data.limit=200", folder=tmp_path
    )
    assert not canary.exists()
    assert (said.status, target in said.err, "could run any code" in said.err) == (2, True, True), said
    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


# end
def test_ordinary_overrides_of_a_sweep_are_accepted():
    words = ["optimizer.lr=0.1,0.2", "hydra.sweep.dir=logs/a", "model._target_=torch.nn.Linear"]
    words += ["data.root=${oc.env", "launcher.more={account: vision, mail-type: END}", "data=folder,digits"]
    refuse_untrusted_words(words, "")
