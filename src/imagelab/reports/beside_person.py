"""Show a person's accuracy beside the model's, as `imagelab evaluate person=FILE` measured both."""

import json
from pathlib import Path

from imagelab.evaluation.person import sentence
from imagelab.pages.page import Section
from imagelab.pages.table import table
from imagelab.pages.wording import prose

EVALUATION = "evaluation.json"


def person_sections(folder: Path) -> list[Section]:
    """The section on a person, if the run's last evaluation had one."""
    file = folder / EVALUATION
    content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    found = content.get("person")
    if not found:
        return []
    rows = [
        [who, 100 * found[who]["accuracy"], *(100 * end for end in found[who]["interval"])]
        for who in ("person", "model")
    ]
    about = f"Both on the {found['images']:,} images of {content['split']} that `{found['file']}` labels."
    shown = table(["who", "accuracy in %", "95% interval from", "to"], rows)
    return [Section("Beside a person", about, f"{shown}<p>{prose(sentence(found))}</p>")]
