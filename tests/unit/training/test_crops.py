import numpy as np
import pytest
from PIL import Image, ImageOps

from relearn.data.arrays import Split
from relearn.params.training import Augmentation
from relearn.training import crops, fit

IMAGES = np.random.default_rng(4).integers(0, 256, (40, 6, 5, 3), np.uint8)
BOTH = Augmentation(mirror_in_turn=True, crop_padding=2)


def mirror(image):
    return np.asarray(ImageOps.mirror(Image.fromarray(image)))


def test_every_image_is_mirrored_in_every_other_epoch_and_half_of_them_at_first():
    mirrored = np.stack([crops.draw(Augmentation(mirror_in_turn=True), 1_000, 3, epoch).mirrored for epoch in range(4)])
    assert np.array_equal(mirrored[0], mirrored[2])
    assert np.array_equal(mirrored[0], ~mirrored[1])
    assert np.array_equal(mirrored[1], mirrored[3])
    assert 420 < mirrored[0].sum() < 580


def test_every_shift_is_drawn_alike_and_anew_in_every_epoch():
    draws = crops.draw(BOTH, 10_000, 3, 0)
    for moved in (draws.down, draws.right):
        values, counts = np.unique(moved, return_counts=True)
        assert values.tolist() == [-2, -1, 0, 1, 2]
        assert counts == pytest.approx([2_000] * 5, rel=0.1)
    assert not np.array_equal(draws.down, draws.right)
    assert not np.array_equal(draws.down, crops.draw(BOTH, 10_000, 3, 1).down)
    assert np.array_equal(draws.down, crops.draw(BOTH, 10_000, 3, 0).down)


def test_images_move_and_what_moves_in_is_the_reflected_image():
    draws = crops.draw(BOTH, len(IMAGES), 1, 0)
    for place, changed in enumerate(crops.apply(IMAGES, draws)):
        image = mirror(IMAGES[place]) if draws.mirrored[place] else IMAGES[place]
        rows = np.abs(np.arange(6) - draws.down[place])
        columns = np.abs(np.arange(5) - draws.right[place])
        rows, columns = np.where(rows > 5, 10 - rows, rows), np.where(columns > 4, 8 - columns, columns)
        assert np.array_equal(changed, image[rows][:, columns])


def test_no_change_leaves_the_images_and_never_the_callers_array_changed():
    before = IMAGES.copy()
    assert np.array_equal(crops.apply(IMAGES, crops.draw(Augmentation(), len(IMAGES), 1, 0)), IMAGES)
    crops.apply(IMAGES, crops.draw(BOTH, len(IMAGES), 1, 1))
    assert np.array_equal(IMAGES, before)


@pytest.mark.parametrize(("kind", "several"), [("mirror", 2), ("mirror_and_shift", 6)])
def test_the_views_of_an_image_weigh_one_together_and_half_of_it_mirrored(kind, several):
    weights = crops.VIEWS[kind]
    assert len(weights) == several
    assert sum(weights.values()) == 1
    assert sum(weight for (mirrored, _, _), weight in weights.items() if mirrored) == 0.5
    shown = list(crops.views(IMAGES, kind))
    assert np.array_equal(shown[0][0], IMAGES)
    assert np.array_equal(shown[1][0], [mirror(image) for image in IMAGES])


class Logits:
    """A network whose logits are sums over parts of the image."""

    input_shape = (None, 6, 5, 3)
    layers = ()

    @staticmethod
    def logits(images):
        return images[:, :2, :2].mean(axis=(1, 2)) / 50

    def predict_on_batch(self, images):
        powers = np.exp(self.logits(images))
        return (powers / powers.sum(axis=1, keepdims=True)).astype("float32")


def test_what_is_made_of_the_views_is_the_softmax_of_the_mean_logits():
    labels = np.zeros(len(IMAGES), np.uint8)
    probabilities = fit.predict(Logits(), Split(IMAGES, np.arange(40), labels, labels), "mirror_and_shift")
    mean = sum(weight * Logits.logits(images) for images, weight in crops.views(IMAGES, "mirror_and_shift"))
    expected = np.exp(mean) / np.exp(mean).sum(axis=1, keepdims=True)
    assert np.allclose(probabilities, expected, atol=1e-5)
    assert not np.allclose(probabilities, Logits().predict_on_batch(IMAGES), atol=1e-2)


def test_batches_hold_the_changed_images_with_their_labels():
    labels = np.arange(40, dtype=np.uint8)
    batches = fit.Batches(Split(IMAGES, np.arange(40), labels, labels), 7, 3, "", BOTH)
    batches.start_epoch(1)
    expected = crops.apply(IMAGES, crops.draw(BOTH, 40, 3, 1))
    for images, shown in batches:
        assert np.array_equal(images, expected[shown])
