# room: detection
"""Read boxes from the XML files of Pascal VOC, one per picture; ImageSets/Main lists the splits.

Source: Everingham et al. 2010, http://host.robots.ox.ac.uk/pascal/VOC/, development kit. Corners are taken as
written: what counts the first pixel as 1 is off by one pixel at the left and at the top.
"""

from pathlib import Path
from xml.etree import ElementTree

from imagelab.data.annotations import (
    Annotated,
    Annotations,
    pictures_by_name,
    refuse_missing,
    regular,
    split_in,
)
from imagelab.data.listing import ENDINGS, SPLITS
from imagelab.problem import Problem

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def voc_files(root: Path) -> list[Path]:
    """The XML files below root that annotate a picture."""
    return [file for file in regular(root, "*.xml") if b"<annotation" in file.read_bytes()[:1000]]


def read_voc(root: Path) -> Annotations:
    """Read all pictures with an XML file.

    Raises:
        Problem: There are none, a file is damaged, or a picture is missing.
    """
    files = voc_files(root)
    if not files:
        raise Problem(f"data.root={root} has no XML files with an <annotation>")
    names = pictures_by_name(root)
    splits = _listed(root)
    paths = {file: _path(file, names) for file in files}
    refuse_missing((file.name for file in files if not paths[file]), root)
    found = [
        Annotated(paths[file], splits.get(file.stem, "") if splits else split_in(file, root), _boxes(file))
        for file in files
    ]
    return Annotations(found, [])


def _listed(root: Path) -> dict[str, str]:
    """The split of each picture that a list in ImageSets/Main names, by its stem."""
    found: dict[str, str] = {}
    for file in regular(root, "ImageSets/Main/*.txt"):
        if file.stem in SPLITS:
            found |= {
                line.split()[0]: SPLITS[file.stem] for line in file.read_text().splitlines() if line.strip()
            }
    return found


def _path(file: Path, names: dict[str, str]) -> str:
    """The picture beside an XML file or elsewhere, by the stem of that file."""
    return next((names[file.stem + end] for end in sorted(ENDINGS) if names.get(file.stem + end)), "")


def _boxes(file: Path) -> list[tuple[str, float, float, float, float]]:
    try:
        return [_box(one) for one in ElementTree.parse(file).getroot().iter("object")]
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise Problem(f"{file} cannot be read as Pascal VOC ({error})") from error


def _box(one: ElementTree.Element) -> tuple[str, float, float, float, float]:
    left, top, right, bottom = (float(one.findtext(f"bndbox/{name}", "")) for name in CORNERS)
    return str(one.findtext("name", "")).strip(), left, top, right, bottom
