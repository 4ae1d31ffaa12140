import json

import numpy as np
import pytest
import torch

from imagelab.data.preprocess import Preprocess, resize_of


def preprocess(**changes):
    settings = {
        "size": 32,
        "channels": 3,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "resize": 32,
        "interpolation": "bilinear",
    }
    return Preprocess(**(settings | changes))


def noise(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_pixels_are_normalised_by_the_formula():
    images = noise(4, 3, 32, 32)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = (images.double() / 255 - mean[:, None, None].double()) / std[:, None, None].double()
    assert torch.allclose(preprocess()(images).double(), expected, atol=1e-6)


def test_denormalising_gives_back_the_pictures_exactly():
    every_value = torch.arange(256, dtype=torch.uint8).expand(2, 3, 256).reshape(2, 3, 16, 16)
    plain = preprocess(size=16, resize=16)
    assert torch.equal(plain.denormalise(plain(every_value)), every_value)


def test_the_pixels_that_come_in_stay_as_they_are():
    images = noise(2, 3, 32, 32)
    before = images.clone()
    preprocess()(images)
    assert torch.equal(images, before)


def test_an_image_does_not_depend_on_the_others_of_its_batch():
    images = noise(8, 3, 20, 30)
    large = preprocess(size=64, resize=64)
    assert torch.equal(large(images)[3:4], large(images[3:4]))


def test_grey_and_colour_fit_either_network():
    grey, colour = noise(2, 1, 32, 32), noise(2, 3, 32, 32)
    three = preprocess().denormalise(preprocess()(grey))
    assert torch.equal(three, grey.expand(-1, 3, -1, -1))
    one = preprocess(channels=1, mean=[0.0], std=[1.0])(colour)[:, 0] * 255
    red, green, blue = colour.float().unbind(1)
    assert torch.allclose(one, 0.299 * red + 0.587 * green + 0.114 * blue, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic"])
def test_other_sizes_are_resized_and_keep_their_aspect_ratio(interpolation):
    half = torch.zeros(1, 3, 40, 80, dtype=torch.uint8)
    half[..., 40:] = 255  # the right half is white
    plain = preprocess(interpolation=interpolation)
    square = plain.denormalise(plain(half))
    assert square.shape == (1, 3, 32, 32)
    assert square[..., :13].max() == 0
    assert square[..., 19:].min() == 255


def test_shrinking_on_the_device_does_not_alias():
    stripes = torch.zeros(1, 3, 256, 256, dtype=torch.uint8)
    stripes[..., ::2] = 255
    plain = preprocess()
    assert (plain.denormalise(plain(stripes)).float() - 127.5).abs().max() < 8


def test_the_centre_of_a_photo_is_what_lies_between_the_borders_of_resize_and_size():
    columns = np.broadcast_to(np.arange(160, dtype=np.uint8)[None, :, None], (80, 160, 3))
    centre = preprocess(size=70, resize=80).centre(np.ascontiguousarray(columns))
    assert centre.shape == (70, 70, 3)
    assert centre[0, [0, -1], 0].tolist() == [45, 114]


def test_it_converts_to_plain_data_and_back():
    plain = preprocess()
    assert Preprocess.from_dict(json.loads(json.dumps(plain.to_dict()))) == plain


def test_it_keeps_the_memory_format():
    images = noise(2, 3, 32, 32)
    last = preprocess()(images.contiguous(memory_format=torch.channels_last))
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(last, preprocess()(images))


def test_a_constant_channel_cannot_be_normalised():
    with pytest.raises(ValueError, match=r"std must be > 0.*0\.0"):
        preprocess(std=[0.2, 0.0, 0.2])(noise(1, 3, 32, 32))


def test_the_crop_is_seven_eighths_of_the_short_side():
    assert [resize_of(size) for size in (32, 160, 224, 288)] == [37, 183, 256, 329]


def test_training_can_use_constants_that_evaluation_cached():
    plain = preprocess(mean=[0.1, 0.2, 0.3])
    with torch.inference_mode():
        plain(noise(1, 3, 32, 32))
    weight = torch.ones(1, requires_grad=True)
    (plain(noise(1, 3, 32, 32)) * weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize(
    ("width", "resize", "size"), [(40, 27, 24), (38, 27, 24), (41, 28, 24), (27, 27, 24)]
)
def test_a_tensor_is_cropped_to_the_square_that_a_file_is_cropped_to(width, resize, size):
    columns = np.broadcast_to(np.arange(width, dtype=np.uint8)[:, None], (resize, width, 3))
    reader = preprocess(size=size, resize=resize)
    pixels = reader.denormalise(reader(torch.from_numpy(columns.transpose(2, 0, 1).copy())[None]))
    assert np.array_equal(pixels[0].permute(1, 2, 0).numpy(), reader.centre(np.ascontiguousarray(columns)))
