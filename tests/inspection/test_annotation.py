from pathlib import Path

import numpy as np
import pytest

from imagelab.inspection.annotation import Answers, Said, findings, order_of
from imagelab.problem import Problem

LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [100, 50, 30, 20]))


def answer_of(number: int, file: str, given: str, answer: str) -> Said:
    return Said(number, file, given, answer, 1.0)


def test_equally_many_of_each_class_are_shown_and_a_fifth_twice() -> None:
    order = order_of(LABELS, 40, seed=0)
    places, times = np.unique(order, return_counts=True)
    assert np.bincount(LABELS[places]).tolist() == [10, 10, 10, 10]
    assert sorted(times.tolist()) == [1] * 32 + [2] * 8
    for place in places[times == 2]:
        first, second = np.flatnonzero(order == place)
        assert first < 20 <= second  # no image of the first half comes twice in it


def test_a_seed_shows_the_same_images_and_another_one_others() -> None:
    assert (order_of(LABELS, 40, seed=0) == order_of(LABELS, 40, seed=0)).all()
    assert set(order_of(LABELS, 40, seed=0)) != set(order_of(LABELS, 40, seed=1))
    assert (np.diff(LABELS[order_of(LABELS, 40, seed=0)]) != 0).any()


def test_at_most_all_images_are_shown() -> None:
    assert set(order_of(LABELS, 1000, seed=0)) == set(range(200))
    assert len(order_of(np.array([0, 1, 1]), 1, seed=0)) == 1


def test_accuracy_counts_first_answers_and_agreement_the_second() -> None:
    answers = [answer_of(k, f"{k}", "cat", "cat" if k < 8 else "dog") for k in range(10)]
    answers += [answer_of(10, "0", "cat", "cat"), answer_of(11, "9", "cat", "cat")]
    accuracy, agreement = findings(answers, 12)
    assert accuracy.value == pytest.approx(
        {"share": 0.8, "low": 0.4902, "high": 0.9433, "images": 10}, abs=1e-4
    )  # 8 of 10
    assert agreement.value["share"] == 0.5
    assert agreement.value["images"] == 2
    assert findings([], 12)[0].value is None


def test_answers_are_read_back_even_if_a_kill_left_half_a_line(tmp_path: Path) -> None:
    path, files = tmp_path / "annotation.csv", ["a,b.png", "ä.png", "c.png"]
    Answers(path, files).add(answer_of(0, files[0], "cat", "dog"))
    Answers(path, files).add(answer_of(1, files[1], "cat", "cat"))
    path.write_bytes(path.read_bytes() + b"2,c.pn")
    again = Answers(path, files)
    assert [(one.file, one.said) for one in again.said] == [("a,b.png", "dog"), ("ä.png", "cat")]
    again.add(answer_of(2, files[2], "dog", "dog"))
    assert len(Answers(path, files).said) == 3
    with pytest.raises(Problem, match=r"is for other images; .*data="):
        Answers(path, ["x.png", *files])
