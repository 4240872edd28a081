import pytest

from relearn.checks import shapes


@pytest.mark.parametrize(("images", "shape", "first", "train", "test"), [
    ("cifar10", [32, 32, 3], "airplane", 50_000, 10_000),
    ("mnist", [28, 28, 1], "0", 60_000, 10_000),
    ("cifar10_augmented", [28, 28, 3], "airplane", 500_000, 10_000),
    ("embeddings/mnist", None, "0", 60_000, 10_000),
    ("embeddings/first_2000", None, "airplane", 2_000, 2_000),
])  # fmt: skip
def test_what_can_be_told_of_a_data_set_from_the_parameters_alone(params_with, images, shape, first, train, test):
    book = params_with({"scale": "book"})
    assert shapes.image_shape(book, images) == shape
    assert shapes.classes(book, images)[0] == first
    assert (shapes.images_in(book, images, "train"), shapes.images_in(book, images, "test")) == (train, test)


def test_photographs_are_counted_when_they_are_read(photos_with):
    photos = photos_with({}, {"scale": "book"})
    assert shapes.image_shape(photos, "cats_vs_dogs") == [299, 299, 3]
    assert shapes.images_in(photos, "cats_vs_dogs", "train") is None


@pytest.mark.parametrize(("labels", "side"), [
    ("cifar10_shuffled", 32), ("vehicles", 28), ("cat_dog_small", 28), ("mnist_in_order", 28), ("first_2000_embedded", None),
])  # fmt: skip
def test_a_views_images_are_as_large_as_it_crops_them(params_with, labels, side):
    assert shapes.view_side(params_with({}), labels) == side
