import pytest

from imagelab.inspection.classes import class_distribution, lacking
from imagelab.inspection.scan import scan
from tests.inspection.bad_files import encoded, scene
from tests.inspection.looked_at import collection, config_of


def findings_of(root, files):
    seen = scan(collection(root, files), root)
    return {
        finding.name: finding for finding in class_distribution(seen, config_of(root), root).findings
    }, seen


def pictures(*counts: tuple[str, int]) -> dict[str, bytes]:
    return {f"{folder}/{k}.png": encoded(scene(k), "PNG") for folder, count in counts for k in range(count)}


def test_images_are_counted_by_class_and_split(tmp_path):
    found, _ = findings_of(tmp_path, pictures(("train/a", 3), ("train/b", 5), ("val/a", 1), ("val/b", 2)))
    counts = {"train": {"a": 3, "b": 5}, "val": {"a": 1, "b": 2}}
    assert found["images by class and split"].value == counts
    assert found["class imbalance"].value == pytest.approx(5 / 3, abs=0.01)
    assert found["same classes in every split"].status == "OK"


def test_a_class_that_is_missing_from_val_is_named_and_shifts_no_label(tmp_path):
    found, seen = findings_of(
        tmp_path, pictures(("train/a", 2), ("train/b", 2), ("train/c", 2), ("val/c", 2))
    )
    assert found["same classes in every split"].status == "FAIL"
    assert found["same classes in every split"].value == {"val lacks": ["a", "b"]}
    val = seen.images.labels[seen.images.splits == "val"]
    assert [seen.images.classes[label] for label in val] == ["c", "c"]


def test_an_empty_class_folder_is_named(tmp_path):
    files = pictures(("train/a", 2), ("train/b", 2), ("val/a", 2))
    (tmp_path / "val" / "b").mkdir(parents=True)
    found, seen = findings_of(tmp_path, files)
    assert found["same classes in every split"].value == {"val lacks": ["b"]}
    assert seen.images.walk is not None
    assert "class folders without pictures" in seen.images.walk.refusal


@pytest.mark.parametrize(("here", "there"), [("cat", "Cat"), ("chair", "chiar"), ("dog", "dog ")])
def test_a_class_spelt_differently_in_val_is_recognised(here, there):
    counts = {"train": {here: 3, there: 0, "z": 1}, "val": {here: 0, there: 3, "z": 1}}
    assert lacking(counts)["val"] == [f"{here}; did you mean {there!r}?"]


def test_a_class_ten_times_as_large_as_another_gets_a_warning(tmp_path):
    found, _ = findings_of(tmp_path, pictures(("train/a", 33), ("train/b", 3)))
    assert found["class imbalance"].status == "WARN"
    assert "loss.weight=balanced" in found["class imbalance"].fix
