"""Compare the outputs of two networks at a temperature: what a student learns from its teacher.

Source: Hinton, Vinyals & Dean 2015, https://arxiv.org/abs/1503.02531, section 2; the factor T^2 keeps the
gradients of soft targets as large as those of labels, whatever the temperature.
"""

from torch import Tensor
from torch.nn import functional


def soft_loss(student: Tensor, teacher: Tensor, temperature: float, *, tags: bool) -> Tensor:
    """T^2 times the divergence of the student's probabilities from the teacher's, a mean over images, >= 0.

    >>> import torch
    >>> logits = torch.tensor([[2.0, -1.0, 0.0]])
    >>> soft_loss(logits, logits, 4.0, tags=False).item(), soft_loss(logits, logits, 4.0, tags=True).item()
    (0.0, 0.0)

    Args:
        student: Logits (B, K), whose gradients are wanted.
        teacher: Logits (B, K) of the same images.
        temperature: T, > 0: what logits are divided by before they become probabilities.
        tags: Whether each class is a question of its own, answered by a sigmoid; the mean is over B * K then.
    """
    mine, theirs = (_wide(logits) / temperature for logits in (student, teacher))
    if not tags:
        given, wanted = mine.log_softmax(dim=1), theirs.log_softmax(dim=1)
        each = functional.kl_div(given, wanted, reduction="none", log_target=True).sum(dim=1)
    else:
        sides = [
            (functional.logsigmoid(sign * mine), functional.logsigmoid(sign * theirs)) for sign in (1, -1)
        ]
        no, yes = (functional.kl_div(*side, reduction="none", log_target=True) for side in sides)
        each = no + yes
    return each.mean() * temperature**2


def _wide(logits: Tensor) -> Tensor:
    """Logits in at least 32 bits."""
    return logits.float() if logits.element_size() < 4 else logits
