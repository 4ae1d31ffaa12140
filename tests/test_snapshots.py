"""The composed configs are on record: a changed default shows in the diff of every experiment."""

import pytest

from scripts.snapshots import DEFAULT, FOLDER, names, snapshot


@pytest.mark.parametrize("name", names())
def test_the_config_is_the_one_on_record(name: str) -> None:
    path = FOLDER / f"{name}.yaml"
    assert path.exists(), f"no record of experiment={name}: run `make snapshots`"
    assert snapshot(name) == path.read_text(encoding="utf-8"), (
        f"{name} differs: `make snapshots` if that is meant"
    )


def test_nothing_is_on_record_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(names())


def test_a_snapshot_holds_what_a_choice_and_the_root_say() -> None:
    assert "_target_: lightning.Trainer" in snapshot(DEFAULT)
    assert "seed: 0" in snapshot(DEFAULT)
