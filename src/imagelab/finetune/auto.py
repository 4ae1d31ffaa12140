"""Choose a strategy from the number of images per class and how well pretrained features tell them apart.

|      | similar        | different      |
|------|----------------|----------------|
| few  | linear_probe   | discriminative |
| many | discriminative | discriminative |

Similarity is measured as the fraction of the mistakes at chance level that nearest neighbours in the
pretrained features avoid. With ImageNet weights it was 0.8 for ten photos each of ants and bees and 0.9 for
ten blood cells of each kind: there a linear probe was 5 and 9 points ahead of `discriminative`. With a
ResNet-9 trained on 10,000 images of CIFAR-10, for its other classes, it is at most what a linear probe
reached with all images, 0.53: there the probe lost 15 to 17 points against the best strategy, and
`discriminative` at most 1.8. What features correct of the mistakes of pixels, the earlier measure, was 0
for the cells, since pixels tell them apart as well.

Source: benchmarks/results/transfer.md and transfer_small.md. The usual table, with `top_half`, `full` and
`scratch` in the other cells (https://cs231n.github.io/transfer-learning), lost up to 15 points in the latter.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from imagelab.finetune.neighbours import chance, neighbour_accuracy


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """Accuracy of nearest neighbours on training images.

    features: With the pretrained network's features. pixels: With the images themselves.
    chance: When always predicting the most frequent class. images: Number of images used.
    gain: Fraction of the mistakes at chance level that features avoid; <= 1.
    """

    features: float
    pixels: float
    chance: float
    gain: float
    images: int


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Choose one of the other strategies, with the values in its config file.

    Args:
        similarity: Similarity of the images to the pretraining data; None: measured.
        few: Median images per class below which data are few.
        similar_from: Smallest gain of features over chance that counts as similar, in (0, 1).
        neighbours: Number of neighbours that vote on the class of an image, >= 1.
        images: Most training images to measure on, > neighbours.
    """

    needs_classes: ClassVar = True

    similarity: Literal["similar", "different"] | None
    few: int
    similar_from: float
    neighbours: int
    images: int

    def likeness(self, features: Tensor, pixels: Tensor, labels: Tensor) -> Likeness:
        """Measure how well features (N, ...) and pixels (N, ...) of the same images predict labels (N,)."""
        made = neighbour_accuracy(features, labels, self.neighbours)
        plain = neighbour_accuracy(pixels, labels, self.neighbours)
        least = chance(labels)
        before = min(least, 1 - 1 / len(labels))
        gain = (made - before) / (1 - before)
        return Likeness(features=made, pixels=plain, chance=least, gain=gain, images=len(labels))

    def decide(self, per_class: float, found: Likeness | None) -> dict[str, Any]:
        """Choose a strategy; return the choice and its reasons as plain data.

        Args:
            per_class: Median images per class.
            found: Measured similarity; None if `similarity` is given.
        """
        similarity = self.similarity
        if found is not None:
            similarity = "similar" if found.gain >= self.similar_from else "different"
        few = per_class < self.few
        choice = "linear_probe" if few and similarity == "similar" else "discriminative"
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
        return f"{per_class:,.0f} images per class are {'few' if few else 'many'} (finetune.few={self.few})"

    def _likeness(self, found: Likeness | None, similarity: str | None) -> str:
        word = "similar to" if similarity == "similar" else "different from"
        if found is None:
            return f"and {word} the pretraining data (finetune.similarity)"
        return (
            f"and {word} the pretraining data (accuracy of nearest neighbours among {found.images:,} images: "
            f"{found.features:.0%} with features, {found.pixels:.0%} with pixels, {found.chance:.0%} at "
            f"chance: a gain of {found.gain:.2f}, finetune.similar_from={self.similar_from:g})"
        )
