"""Each planted bug is found by the intended check, and sound runs pass."""

import numpy as np
import pytest

from imagelab.checks.run import run
from tests.zoo import BLOBS, DIGITS, KINDS, statuses, subject
from tests.zoo_bugs import BUGS

DEAR = pytest.mark.slow  # in the second kind of run, what takes training to find
CASES = [
    pytest.param(kind, name, marks=[DEAR] if bug.trains and kind != "A" else [])
    for name, bug in BUGS.items()
    for kind in KINDS
]
RARE = [*BLOBS, "data.rare=true", *KINDS["A"]]
SOUND = {
    "imbalanced": RARE,
    "imbalanced, begun at the priors": [*RARE, "trick=[head_bias]"],
    "digits, A": [*DIGITS, *KINDS["A"]],
    "digits, B": [*DIGITS, *KINDS["B"]],
    "colour, A": [*BLOBS, *KINDS["A"]],
    "colour, B": [*BLOBS, *KINDS["B"]],
    "frozen as configured": [*DIGITS, "finetune=linear_probe", "model.weights=TRAINED"],
    "unfrozen one by one": [*DIGITS, "finetune=gradual", "model.weights=TRAINED", "trainer.max_epochs=8"],
    "mixed and augmented": [
        *DIGITS,
        "augment=[crop,cutout,mixup]",
        "loss.label_smoothing=0.1",
        "model.dropout=0.3",
    ],
    "residual": [*DIGITS, "model=resnet9", "model.width=8", "optimizer=momentum"],
}


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_planted_bug_is_found_by_its_check(kind, name):
    bug = BUGS[name]
    checked = subject([*(BLOBS if bug.colour else DIGITS), *KINDS[kind], *bug.words])
    bug.plant(checked)
    assert statuses(checked, fast=not bug.trains, only=(bug.check,)) == {bug.check: "FAIL"}


@pytest.mark.parametrize("name", SOUND)
def test_nothing_fails_on_sound_runs(name):
    found = statuses(subject(SOUND[name]), fast=True)
    assert [check for check, status in found.items() if status == "FAIL"] == []


def test_the_loss_at_init_is_compared_with_the_entropy_that_head_bias_starts_from():
    uniform, priors = (
        run(subject(words), fast=True, only=("loss at init",))[0]
        for words in (RARE, [*RARE, "trick=[head_bias]"])
    )
    entropy = -(0.85 * np.log(0.85) + 3 * 0.05 * np.log(0.05))
    assert uniform.value == pytest.approx(np.log(4), abs=0.2)
    assert priors.value == pytest.approx(entropy, abs=0.2)
    assert "trick=[head_bias]" in uniform.fix
    assert not priors.fix
