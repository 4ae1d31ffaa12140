"""The strategy that suits the data: by the images of a class, and their likeness to those of the weights.

|           | similar      | different                 |
|-----------|--------------|---------------------------|
| few       | linear_probe | top_half                  |
| many      | full         | scratch or discriminative |

How alike they are is measured by the share of the mistakes of nearest neighbours in pixels that features put
right as they are. With a ResNet-9 of 10,000 pictures of CIFAR-10 that was 0.16 to 0.29 for the other classes
of CIFAR-10 and below 0 for digits; with one of digits it was 0.00 to 0.09 for CIFAR-10.

Source: https://cs231n.github.io/transfer-learning, "When and how to fine-tune?".
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import Tensor

from imagelab.finetune.neighbours import chance, neighbour_accuracy
from imagelab.problem import Problem


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Nearest neighbours on training images, in shares of them that are right.

    features: By what the network makes of them, as it is. pixels: By the images themselves.
    chance: By always naming the most frequent class. images: How many were looked at.
    gain: Share of the mistakes of pixels, or chance where that is better, that features put right; <= 1.
    """

    features: float
    pixels: float
    chance: float
    gain: float
    images: int


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Decides between other strategies; their own values are those of their files.

    Args:
        similarity: Of the images to those of the weights; None: measured.
        few: Images of a class, in the median: fewer are few.
        similar_from: Gain of features over pixels from which images are similar, in (0, 1).
        neighbours: That name the class of an image, >= 1.
        images: Training images to measure on, at most, > neighbours.
        many_different: The answer for many images unlike those of the weights.
    """

    similarity: Literal["similar", "different"] | None
    few: int
    similar_from: float
    neighbours: int
    images: int
    many_different: Literal["scratch", "discriminative"]

    def __post_init__(self) -> None:
        if not 0 < self.similar_from < 1:
            raise Problem(f"finetune.similar_from: wants a share between 0 and 1, got {self.similar_from}")
        if not 1 <= self.neighbours < self.images:
            raise Problem(
                f"finetune.neighbours: wants 1 or more, and fewer than finetune.images ({self.images}), "
                f"got {self.neighbours}"
            )

    def likeness(self, features: Tensor, pixels: Tensor, labels: Tensor) -> Likeness:
        """Of features (N, ...) and pixels (N, ...) of the same images to their labels (N,)."""
        made = neighbour_accuracy(features, labels, self.neighbours)
        plain = neighbour_accuracy(pixels, labels, self.neighbours)
        least = chance(labels)
        before = min(max(plain, least), 1 - 1 / len(labels))
        gain = (made - before) / (1 - before)
        return Likeness(features=made, pixels=plain, chance=least, gain=gain, images=len(labels))

    def decide(self, per_class: float, found: Likeness | None) -> dict[str, Any]:
        """The choice and all it rests on, plain data.

        Args:
            per_class: Images of a class, in the median.
            found: What was measured; None where `similarity` is given.
        """
        similarity = self.similarity
        if found is not None:
            similarity = "similar" if found.gain >= self.similar_from else "different"
        few = per_class < self.few
        choice = {
            (True, "similar"): "linear_probe",
            (True, "different"): "top_half",
            (False, "similar"): "full",
            (False, "different"): self.many_different,
        }[few, similarity]  # pyright: ignore[reportArgumentType]
        return {
            "choice": choice,
            "images_per_class": per_class,
            "few": self.few,
            "similarity": similarity,
            "similar_from": self.similar_from,
            "measured": None if found is None else asdict(found),
            "why": f"{self._count(per_class, few)}, {self._likeness(found, similarity)}: {choice}",
        }

    def _count(self, per_class: float, few: bool) -> str:
        return f"{per_class:,.0f} images a class are {'few' if few else 'many'} (finetune.few={self.few})"

    def _likeness(self, found: Likeness | None, similarity: str | None) -> str:
        word = "similar to" if similarity == "similar" else "different from"
        if found is None:
            return f"and {word} those of the weights (finetune.similarity)"
        return (
            f"and {word} those of the weights (nearest neighbours among {found.images:,}: "
            f"{found.features:.0%} right by features, {found.pixels:.0%} by pixels, {found.chance:.0%} by "
            f"chance: a gain of {found.gain:.2f}, finetune.similar_from={self.similar_from:g})"
        )
