import numpy as np
import pytest
from PIL import Image

from relearn.params.data import Augment
from relearn.sources import augmentation

SPEC = Augment(images="cifar10", source_images=200, crop=28, copies=9, mirror_probability=0.5,
               rotate_probability=1 / 3, max_degrees=5.0, max_offset=2)  # fmt: skip


@pytest.fixture
def images():
    return np.random.default_rng(1).integers(0, 256, (200, 32, 32, 3), np.uint8)


def test_rotation_agrees_with_pil(images):
    degrees = np.linspace(-5, 5, len(images)).astype(np.float32)
    ours = augmentation.rotate_and_crop(images, degrees, 28)
    for place in range(0, len(images), 7):
        turned = Image.fromarray(images[place]).rotate(float(degrees[place]), Image.Resampling.BILINEAR)
        theirs = np.asarray(turned)[2:30, 2:30]
        assert np.abs(ours[place].astype(int) - theirs.astype(int)).max() <= 1


def test_every_image_has_one_plain_centre_crop(images):
    draws = augmentation.draw(SPEC, 32, seed=3, key="a")
    altered = augmentation.apply(images, draws, slice(None), 28)
    plain = np.flatnonzero(draws.copy == 0)
    assert sorted(draws.source[plain]) == list(range(200))
    assert np.array_equal(altered[plain], images[draws.source[plain], 2:30, 2:30])
    assert np.bincount(draws.source).tolist() == [10] * 200


def test_the_result_does_not_depend_on_the_block(images):
    draws = augmentation.draw(SPEC, 32, seed=3, key="a")
    whole = augmentation.apply(images, draws, slice(None), 28)
    blocks = [augmentation.apply(images, draws, slice(start, start + 77), 28) for start in range(0, 2000, 77)]
    assert np.array_equal(whole, np.concatenate(blocks))


def test_shares_and_ranges_are_the_chapters():
    draws = augmentation.draw(SPEC.model_copy(update={"source_images": 20000}), 32, seed=3, key="a")
    altered = draws.copy > 0
    rotated = draws.degrees != 0
    assert rotated[altered].mean() == pytest.approx(1 / 3, abs=0.01)
    assert draws.mirrored[altered].mean() == pytest.approx(1 / 2, abs=0.01)
    assert not draws.mirrored[~altered].any()
    assert np.abs(draws.degrees).max() <= 5
    shifted = altered & ~rotated
    assert set(draws.top[shifted]) == set(draws.left[shifted]) == {0, 1, 2}
    assert set(draws.top[rotated]) == {2}


def test_a_mirrored_and_shifted_image_by_hand(images):
    draws = augmentation.draw(SPEC, 32, seed=3, key="a")
    altered = augmentation.apply(images, draws, slice(None), 28)
    place = np.flatnonzero(draws.mirrored & (draws.degrees == 0) & (draws.top == 0) & (draws.left == 1))[0]
    assert np.array_equal(altered[place], images[draws.source[place]][:28, ::-1][:, 1:29])


def test_the_same_seed_gives_the_same_plan_and_another_seed_another():
    first, again, other = (augmentation.draw(SPEC, 32, seed, "a") for seed in (3, 3, 4))
    assert np.array_equal(first.source, again.source)
    assert np.array_equal(first.degrees, again.degrees)
    assert not np.array_equal(first.source, other.source)
