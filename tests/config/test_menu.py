"""The menu is read from the config files: their comments, keys and choices."""

from imagelab.config import menu


def test_the_menu_shows_the_formula_of_every_schedule():
    lines = menu.text("train").partition("\nschedule=")[2].splitlines()
    for choice in menu.choices("schedule"):
        at = next(i for i, line in enumerate(lines) if line.startswith((f"  {choice} ", f"  {choice}* ")))
        formula = menu.about("schedule", choice)[1]
        assert formula.startswith("factor")
        assert lines[at + 1].strip() == formula


def test_a_comment_belongs_to_the_key_on_its_line_and_to_no_other():
    lines = [
        "# Head",
        "seed: 1 # of every draw",
        "data:",
        "  workers: auto # processes",
        "  # alone",
        "  size: 8",
    ]
    assert menu.comments(lines) == {
        "seed": "of every draw",
        "data": "",
        "data.workers": "processes",
        "data.size": "",
    }


def test_the_file_of_the_experiment_that_sets_a_key_is_named():
    experiment = menu.load(menu.folder() / "experiment" / "large_batch.yaml")
    rate = "optimizer.lr"
    assert "lr" in experiment["optimizer"]
    assert menu.sets(rate, {"experiment": "large_batch", "debug": None}) == "experiment/large_batch.yaml"
    assert menu.sets("optimizer.nothing", {"experiment": "large_batch"}) is None
    assert menu.sets(rate, {"experiment": None}) is None


def test_choices_stand_in_alphabetical_order():
    for group in ("augment", "trick", "optimizer", "schedule", "data"):
        assert menu.choices(group) == sorted(menu.choices(group))
