from types import SimpleNamespace
from typing import Any

import torch

from imagelab.training import shared_decision
from imagelab.training.shared_decision import SharedDecision

SECONDS = 0.01  # per step


class Ranks:
    """Ranks that step together, each with a decision of its own."""

    def __init__(self, count: int, monkeypatch) -> None:
        self.step = self.exchanges = 0
        monkeypatch.setattr(shared_decision.time, "monotonic", lambda: self.step * SECONDS)
        self.decisions = [SharedDecision(every=1.0) for _ in range(count)]

    def agree(self, due: list[bool], signums: list[int]) -> list[tuple[bool, int]]:
        given: list[torch.Tensor] = []

        def trainer(rank: int, reduce: Any) -> Any:
            strategy = SimpleNamespace(root_device="cpu", reduce=reduce)
            facts = {"world_size": len(self.decisions), "is_global_zero": rank == 0}
            return SimpleNamespace(global_step=self.step, strategy=strategy, **facts)

        def give(numbers: torch.Tensor, reduce_op: str) -> torch.Tensor:
            given.append(numbers)
            return numbers

        saved = [vars(decision).copy() for decision in self.decisions]
        for rank, decision in enumerate(self.decisions):
            decision.at_step(trainer(rank, give), due[rank], signums[rank])
        assert len(given) in (0, len(self.decisions)), "some ranks exchange and others do not"
        self.exchanges += bool(given)
        most = torch.stack(given).amax(dim=0) if given else torch.zeros(3)
        for decision, state in zip(self.decisions, saved, strict=True):
            vars(decision).update(state)
        found = [
            decision.at_step(trainer(rank, lambda *_, **__: most), due[rank], signums[rank])
            for rank, decision in enumerate(self.decisions)
        ]
        self.step += 1
        return found


def test_ranks_exchange_about_once_a_second(monkeypatch) -> None:
    ranks = Ranks(2, monkeypatch)
    for _ in range(2000):
        assert ranks.agree([False, False], [0, 0]) == [(False, 0)] * 2
    assert ranks.exchanges <= 30  # 20 seconds, and the first ones


def test_a_signal_on_any_rank_stops_all_at_one_step_within_a_second(monkeypatch) -> None:
    ranks = Ranks(3, monkeypatch)
    for _ in range(500):
        ranks.agree([False] * 3, [0, 0, 0])
    found = [ranks.agree([False] * 3, [0, 15, 0]) for _ in range(101)]
    assert [(False, 15)] * 3 in found
    assert all(one in ([(False, 0)] * 3, [(False, 15)] * 3) for one in found)


def test_of_the_clocks_only_that_of_the_first_rank_counts(monkeypatch) -> None:
    ranks = Ranks(2, monkeypatch)
    assert ranks.agree([False, True], [0, 0]) == [(False, 0)] * 2
    assert ranks.agree([True, False], [0, 0]) == [(True, 0)] * 2


def test_one_process_asks_nobody() -> None:
    alone: Any = SimpleNamespace(world_size=1, global_step=0)
    decision = SharedDecision(every=1.0)
    assert [decision.at_step(alone, due, 2) for due in (True, False)] == [(True, 2), (False, 2)]
