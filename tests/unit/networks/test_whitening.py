import numpy as np
import pytest

from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from tests.unit.networks.test_nets import PIXELS, fit_of, split_of


def test_whitened_patches_are_uncorrelated_of_variance_one_and_there_with_their_negatives():
    noisy = np.random.default_rng(2).integers(0, 256, (200, 9, 9, 3), np.uint8)
    images = (noisy // 2 + np.roll(noisy, 1, axis=2) // 2).astype(np.uint8)
    front = keras.Sequential(nets.front(fit_of(pixels="whitened"), split_of(images)))
    whitened = front.predict_on_batch(images)
    assert whitened.shape == (200, 8, 8, 24)
    half = whitened[..., :12].reshape(-1, 12)
    assert np.allclose(half.T @ half / len(half), np.eye(12), atol=0.02)
    assert np.allclose(whitened[..., 12:], -whitened[..., :12], atol=1e-4)


def test_of_the_whitening_only_the_bias_is_trained_and_all_of_it_is_saved(tmp_path):
    model = nets.build("GELU C8i BNc GELU flatten T9", (6, 6, 3), 3, 1, nets.front(fit_of(pixels="whitened"), split_of(PIXELS)))
    before = model.get_layer("whiten").get_weights()
    nets.trainer(model, fit_of(pixels="whitened", label_smoothing=0.2), 9).train_on_batch(PIXELS, np.arange(9) % 3)
    kernel, bias = model.get_layer("whiten").get_weights()
    assert np.array_equal(kernel, before[0])
    assert not np.array_equal(bias, before[1])
    keras_file.save(model, tmp_path / "a.keras")
    assert np.array_equal(keras_file.load(tmp_path / "a.keras").predict_on_batch(PIXELS), model.predict_on_batch(PIXELS))


def test_a_network_that_goes_on_from_a_whitened_one_leaves_the_whitening_and_takes_a_head_like_the_old(tmp_path):
    net = "GELU C8i BNc GELU flatten T9"
    keras_file.save(
        nets.build(net, (6, 6, 3), 3, 1, nets.front(fit_of(pixels="whitened"), split_of(PIXELS))), tmp_path / "a.keras"
    )
    tuned = nets.adapt(keras_file.load(tmp_path / "a.keras"), 2, "replaced", [], seed=2)
    before = tuned.get_layer("whiten").get_weights()
    nets.trainer(tuned, fit_of(), 9).train_on_batch(PIXELS, np.arange(9) % 2)
    kernel, bias = tuned.get_layer("whiten").get_weights()
    assert np.array_equal(kernel, before[0])
    assert not np.array_equal(bias, before[1])
    assert tuned.get_layer("head").bias is None
    frozen = nets.adapt(keras_file.load(tmp_path / "a.keras"), 2, "replaced", ["whiten"], seed=2)
    assert "whiten" not in [layer.name for layer in frozen.layers if layer.trainable_weights]


def test_images_of_one_colour_cannot_be_whitened():
    with pytest.raises(ValueError, match="whitened needs training images with more than one value in each channel"):
        nets.front(fit_of(pixels="whitened"), split_of(np.zeros((9, 6, 6, 3), np.uint8)))
