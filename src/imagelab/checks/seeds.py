"""Do two runs with the same seed agree?"""

import torch

from imagelab.checks.findings import fact, found
from imagelab.checks.subject import Subject
from imagelab.checks.trial import LINE_SEARCH, line_search, train
from imagelab.finding import Finding, grade

STEPS = 3


def one_seed(subject: Subject) -> Finding:
    """Two short trainings with the same seed agree in losses and weights to the last bit."""
    if line_search(subject):
        return fact(None, LINE_SEARCH)
    ends = [_end(subject) for _ in range(2)]
    same = ends[0][0] == ends[1][0] and all(
        torch.equal(one, other) for one, other in zip(ends[0][1], ends[1][1], strict=True)
    )
    on_gpu = not same and torch.cuda.is_available() and not subject.cfg["trainer"]["deterministic"]
    fix = "draw from torch in a training step, from the images' keys in augmentations, never from numpy"
    if on_gpu:
        fix = "set trainer.deterministic=true"
    return found(
        grade(fail=not same and not on_gpu, warn=on_gpu),
        "the same" if same else f"losses {ends[0][0][-1]:.6g} and {ends[1][0][-1]:.6g}",
        expected=f"losses and weights equal to the last bit after {STEPS} steps",
        why="a run can be repeated" if same else "the same seed gives a different run each time",
        fix="" if same else fix,
    )


def _end(subject: Subject) -> tuple[list[float], list[torch.Tensor]]:
    count = max(2, subject.count // 2)
    batches = [subject.training(count, epoch) for epoch in range(STEPS)]
    copy = subject.copy()
    losses = train(subject, copy, batches)
    return losses, [value.detach().clone() for value in copy.net.state_dict().values()]
