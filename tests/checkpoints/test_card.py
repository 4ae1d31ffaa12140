from types import SimpleNamespace

from imagelab.checkpoints.card import card_of

CARD = {
    "preprocess": {"size": 32},
    "reader": {"shape": [20, 30]},
    "classes": ["ant", "bee"],
    "model": {},
    "seed": 0,
}
TASK = SimpleNamespace(names=["ant", "bee"])


def test_the_input_is_as_high_and_as_wide_as_the_images_in_memory_or_square():
    assert card_of(CARD, "raw", TASK)["input"]["shape"] == ["batch", 3, 20, 30]
    photos = card_of(CARD | {"reader": {"shape": None}}, "raw", TASK)
    assert photos["input"]["shape"] == ["batch", 3, 32, 32]
    assert photos["output"]["shape"] == ["batch", 2]
