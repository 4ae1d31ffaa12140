# room: embedding
"""Find the pictures of a table of features that are nearest to a picture."""

from pathlib import Path
from typing import Any

import numpy as np

from imagelab.config.schema import Node
from imagelab.embedding.embedded import Embedded, read_table_of
from imagelab.embedding.neighbours import nearest
from imagelab.embedding.sections import picture_of
from imagelab.pages.picture import encoded
from imagelab.predictor import Predictor
from imagelab.problem import Problem

SIDE = 128  # pixels
BUDGET = 200_000  # bytes for all pictures of a reply


class Near:
    """Search among the pictures of a table.

    Args:
        embedded: Features of pictures.
        count: Number of nearest pictures.
    """

    def __init__(self, embedded: Embedded, count: int) -> None:
        self.embedded = embedded
        self.count = count

    def of(self, features: np.ndarray, *, pictures: bool) -> list[Node]:
        """The nearest pictures with their similarity, a cosine, and perhaps their pixels.

        Args:
            features: Features of a picture, (1, F).
            pictures: Whether to give each picture as a data URI.
        """
        found = nearest(self.embedded.features, features, self.count)
        places = found.places[0].tolist()
        files = [self.embedded.files[place] for place in places]
        rows: list[Node] = [
            {"file": file.encode(errors="replace").decode(), "folder": self.embedded.folders[place]}
            | {"similarity": round(value, 4)}
            for file, place, value in zip(files, places, found.similarity[0].tolist(), strict=True)
        ]
        if not pictures:
            return rows
        shown = encoded([picture_of(file, SIDE) for file in files], SIDE, BUDGET)
        return [row | {"picture": uri} for row, uri in zip(rows, shown, strict=True)]


def near_of(predictor: Any, path: Path, count: int) -> Near:
    """Search among the pictures of a table whose features this network computed.

    Raises:
        Problem: The table cannot be read, or is of a different network.
    """
    if not isinstance(predictor, Predictor):
        raise Problem(f"table={path}: needs the network itself; set run to the folder of a run")
    return Near(read_table_of(predictor, path, "table"), count)
