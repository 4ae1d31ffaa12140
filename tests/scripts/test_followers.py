"""What goes after a task: the losses and data that no other task takes, and the values that it brought."""

from pathlib import Path

import pytest

from scripts.followers import unbrought, unbuilt, untaken
from scripts.remove import tracked
from scripts.rooms import choices, without
from scripts.trimming import comments, mentions

ROOT = Path(__file__).parents[2]
CONFIGS = {str(path.relative_to(ROOT)): path.read_text() for path in (ROOT / "configs").rglob("*.yaml")}


def configs_without(task: str) -> dict[str, str]:
    """The configs without a task's own file, and without what comments say of it."""
    gone = mentions([f"configs/task/{task}.yaml"], [], f"task/{task}")
    kept = {path: text for path, text in CONFIGS.items() if path != f"configs/task/{task}.yaml"}
    return {path: comments(text, gone) for path, text in kept.items()}


@pytest.mark.parametrize(
    ("task", "taken"),
    [
        ("regress", {"loss/huber", "loss/l1", "loss/mse"}),  # room: task/regress
        ("multilabel", {"data/celeba"}),  # room: task/multilabel, task/regress
        ("autoencoder", set()),
    ],
)
def test_what_only_one_task_takes_goes_with_it(task: str, taken: set[str]) -> None:
    assert set(untaken(CONFIGS, configs_without(task))) == taken


def test_what_two_tasks_take_stays_with_the_command_of_the_other() -> None:  # room: task/regress
    left = configs_without("multilabel")["configs/data/digits_facts.yaml"]
    assert "# imagelab train task=regress data=digits_facts\n" in left
    assert "# imagelab train task=multilabel" not in left


def test_a_gan_takes_its_losses_its_tricks_and_the_values_it_brought() -> None:  # room: generators
    left = configs_without("gan")
    assert {"loss/hinge", "loss/wasserstein", "trick/r1", "model/dcgan"} <= set(untaken(CONFIGS, left))
    assert unbrought(left) == {"configs/start/gan.yaml"}
    assert unbrought(CONFIGS) == set()


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a git checkout")
def test_all_that_follows_a_task_goes_at_once() -> None:  # room: task/regress
    files = {path: text for path, text in tracked(ROOT).items() if not path.startswith(("tests/", "docs/"))}
    gone = files.keys() - without(files, "task/regress").keys()
    assert {f"configs/loss/{name}.yaml" for name in ("huber", "l1", "mse")} <= gone


def test_values_that_a_choice_brings_are_no_choice_that_can_come_out() -> None:
    assert "trick/ema" in choices(CONFIGS)
    assert not [choice for choice in choices(CONFIGS) if choice.startswith("start/")]


def test_nothing_goes_while_all_is_there() -> None:
    assert untaken(CONFIGS, CONFIGS) == []


def test_a_choice_without_its_module_goes() -> None:
    files = {"configs/loss/hinge.yaml": "_target_: imagelab.loss.adversarial.Hinge\n"}
    assert unbuilt(files, {"imagelab.loss"}) == ["loss/hinge"]
    assert unbuilt(files, {"imagelab.loss.adversarial"}) == []
