"""A network outside the package."""

from imagelab.model.small_cnn import SmallCNN


class OwnNet(SmallCNN):
    """Somebody's own."""
