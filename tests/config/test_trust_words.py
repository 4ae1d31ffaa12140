"""Overrides from a stranger's sweep run no code."""

import pytest
import yaml

from imagelab.config.trust import refuse_untrusted_words
from imagelab.problem import Problem
from imagelab.sweep import started  # room: sweep


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
    (tmp_path / started.FILE).write_text(yaml.safe_dump(content))
    with pytest.raises(Problem, match="could run any code"):
        started.read(tmp_path)
    # end


def test_ordinary_overrides_of_a_sweep_are_accepted():
    words = ["optimizer.lr=0.1,0.2", "hydra.sweep.dir=logs/a", "model._target_=torch.nn.Linear"]
    words += ["data.root=${oc.env", "launcher.more={account: vision, mail-type: END}", "data=folder,digits"]
    refuse_untrusted_words(words, "")
