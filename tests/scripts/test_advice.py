"""The cards carry the advice of the lecture notes: what suits when, in which range, what to leave alone."""

import re
from functools import cache

import pytest
import yaml

from imagelab.config import menu
from scripts.docs import ROOT, WORDS, card, key_card, loses, page

ADVICE = {
    "optimizer/sgd": ["zigzags", "saddle points", "noise of each batch", "0.01 to 0.1"],
    "optimizer/momentum": ["less zigzag", "saddle points", "flat ones generalise", "tuning", "0.001 to 0.01"],
    "optimizer/adagrad": ["never stops shrinking", "generally not used", "cannot be seen"],
    "optimizer/rmsprop": ["evens out steep and flat directions"],
    "optimizer/adam": ["0.0003", "0.0004 to 0.001", "up to 0.01", "constant rate", "too low for 150 steps"],
    "optimizer/adamw": ["constant rate", "one_cycle"],
    "optimizer/lbfgs": ["data.batch_size=full"],
    "optimizer/lars": ["batches from about 4,096"],
    "schedule/step": ["converge best", "otherwise see multistep"],
    "schedule/multistep": ["Best with step", "one_cycle and cosine end higher"],
    "schedule/exponential": ["As good as polynomial", "settle late"],
    "schedule/polynomial": ["As good as exponential"],
    "schedule/inverse": ["falls too fast at first"],
    "schedule/constant": ["Too large at the end", "except for Adam"],
    "schedule/cyclic": ["saddle points"],
    "schedule/linear_cosine": ["reinforcement learning"],
    "trick/swa": ["flat minima generalise"],
    "trick/ema": ["flatter minimum"],
    "trick/sam": ["flat minima"],
    "trick/batch_growth": ["multistep", "schedule=constant"],
    "trick/early_stopping": ["A larger model that is stopped early can be better"],
    "task/simclr": ["If you have labels, train with them first"],
    "task/autoencoder": ["If you have labels, train with them first"],
    "model/torchvision": ["Leave a published network as it is", "weights do no harm"],
    "model/timm": ["Leave a published network as it is", "weights do no harm"],
    "augment/none": ["for first runs"],
    "sweep/learning_curve": ["More real images are the best regularisation"],  # room: sweep
    "sweep/random": ["better than a grid"],  # room: sweep
    "finetune/full": ["one small rate", "0.01 to 0.1"],
    "finetune/linear_probe": ["few images per class, much like"],
    "finetune/top_half": ["few images per class, unlike"],
    "finetune/scratch": ["plenty of dissimilar data"],
}
KEYS = {
    "data.batch_size": ["1 to 1024", "generalises worse", "loss shake", "regularises", "more epochs"],
    "model.activation": ["relu or leaky_relu in deep networks", "Not sigmoid or tanh", "published network"],
    "model.init": ["kaiming for ReLU, xavier for tanh", "try several"],
    "model.norm": ["frozen: pretrained", "group: ", "none: ", "Smaller batches regularise more"],
    "model.dropout": ["0.2 to 0.5", "before fully connected layers"],
    "model.dropout2d": ["works badly with BatchNorm"],
    "optimizer.lr_scaling": ["change of the weights per image", "variance", "Prefer a large rate"],
    "trainer.accumulate_grad_batches": ["does not fit into memory"],
}
PAGES = {
    # room: checks, finders, sweep, reports
    "recipe": [
        "the rate and the parameters of the loss; batch size and momentum; the other parameters of Adam",
        "of which only a few should be tried",
        "one thing at a time",
        "Copy a network that is known to work and leave it alone",
        "large enough to overfit, then regularise it",
        "pick the network in one go (`finetune=full finetune.head_rate=1`",
        "refine the one that won in steps",
    ],
    # end
    # room: finders
    "batch-size": [
        "has a maximum over the batch size",
        "generalises worse at the same rate, and takes more epochs",
        "A batch of one hardly converges",
        "the best batch grows with the rate and with the number of images",
        "prefer a large rate with a large batch",
    ],
    # end
    "optimizers": ["`adam` or `adamw` first", "constant rate", "may end higher", "Not `adagrad`"],
    "inspect": ["quality comes before quantity"],  # room: inspection
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says(name: str) -> None:
    text = " ".join((ROOT / "docs" / "howto" / f"{name}.md").read_text(encoding="utf-8").split())
    assert [words for words in PAGES[name] if words not in text] == []


@pytest.mark.parametrize("choice", ADVICE)
def test_the_card_of_a_choice_says(choice: str) -> None:
    group, name = choice.split("/")
    text = card(group, name, isinstance(menu.questions("train")[group], list))
    assert [words for words in ADVICE[choice] if words not in text] == []


@pytest.mark.parametrize("path", KEYS)
def test_the_card_of_a_key_says(path: str) -> None:
    text = key_card(*path.split("."))
    assert [words for words in KEYS[path] if words not in text] == []


@cache
def defaults() -> dict:
    return yaml.safe_load((menu.folder() / "train.yaml").read_text(encoding="utf-8"))


def test_the_command_on_the_card_of_a_key_does_not_set_its_default() -> None:
    command = r"^- Command: `imagelab train (data|model|optimizer|trainer)\.(\w+)=([^ `]+)"
    found = re.findall(command, page(), re.MULTILINE)
    assert len(found) > 40
    own = defaults()
    assert [path for *path, value in found if yaml.safe_load(value) == own[path[0]][path[1]]] == []


def test_a_clear_loss_comes_with_its_reason() -> None:
    lines = re.findall(r"^- Measured: .+$", page(), re.MULTILINE)
    lost = [line for line in lines if any(loses(one) for one in re.findall(r"[+-][\d.]+ ± [\d.]+", line))]
    assert lost
    assert [line for line in lost if not line.endswith(")")] == []
    assert not loses("+0.3 ± 0.1")


def test_what_is_said_of_a_key_is_said_of_one_that_there_is() -> None:
    for kind in ("homes", "examples", "advice"):
        for path in WORDS[kind]:
            group, key = path.split(".")
            assert key in defaults()[group], path
