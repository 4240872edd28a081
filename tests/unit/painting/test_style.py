import subprocess
import sys

import numpy as np
import pytest

from relearn.networks import nets
from relearn.networks.engine import keras, tf
from relearn.painting import style
from relearn.params.reporting import StyleTransfer
from tests.conftest import ROOT

SPEC = {
    "content": "skimage:chelsea", "style": "sklearn:flower.jpg", "backbone": "tiny", "content_layer": "conv_1",
    "style_layers": ["conv_0", "conv_1"], "side": 48, "steps": 6, "optimizer": "lbfgs",
    "content_weight": 1.0, "style_weight": 20.0, "total_variation_weight": 5.0,
}  # fmt: skip


def spec(**changes):
    return StyleTransfer(**{**SPEC, **changes})


def tiny(side=32, seed=1):
    """A random network of two convolutions with a top that is bound to its side, as VGG16's is."""
    return nets.build("C4 P2 C6 flatten", (side, side, 3), 5, seed)


def pictures(seed=0):
    """Noise as content, stripes of two colours as style, of different sizes."""
    content = np.random.default_rng(seed).integers(60, 200, (24, 30, 3), np.uint8)
    stripes = np.zeros((36, 20, 3), np.uint8)
    stripes[::4], stripes[1::4] = (250, 120, 0), (250, 120, 0)
    return content, stripes


def in_double_precision(values):
    return tf.constant(values, tf.float64)


def test_gram_matrix_is_what_a_hand_calculation_gives():
    features = in_double_precision([[[[1.0, 2.0], [3.0, -1.0]], [[0.0, 4.0], [2.0, 2.0]]]])  # 1 x 2 x 2 positions, 2 channels
    # channel 0: 1 3 0 2; channel 1: 2 -1 4 2; products summed: 14, 2 - 3 + 0 + 4 = 3, 25; four positions
    assert np.allclose(style.gram(features), [[14 / 4, 3 / 4], [3 / 4, 25 / 4]], rtol=1e-15)


def test_gram_matrix_of_a_picture_laid_out_twice_is_the_same():
    features = in_double_precision(np.random.default_rng(0).normal(size=(1, 3, 4, 5)))
    assert np.allclose(style.gram(tf.concat([features, features], axis=1)), style.gram(features))


def test_distance_is_the_mean_squared_difference_as_a_share_of_the_targets_mean_square():
    # squared differences 1 0 9 0, mean 2.5; target's squares 4 1 16 9, mean 7.5
    assert float(style.distance(tf.constant([3.0, 1.0, 1.0, 3.0]), tf.constant([2.0, 1.0, 4.0, 3.0]))) == pytest.approx(
        1 / 3, rel=1e-6
    )


def test_total_variation_is_what_a_hand_calculation_gives():
    pixels = np.zeros((1, 2, 3, 3))
    pixels[0, :, :, 0] = [[0, 255, 0], [51, 255, 0]]  # the other two channels are even
    # down: 51 0 0; across: 255 -255 and 204 -255; means over 9 and 12 steps of all channels, in units of white
    expected = 0.2**2 / 9 + (1 + 1 + 0.8**2 + 1) / 12
    assert float(style.total_variation(in_double_precision(pixels))) == pytest.approx(expected, rel=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    content, stripes = pictures()
    objective = style.Objective(tiny(), content, stripes, spec())
    random = np.random.default_rng(3)
    pixels = np.clip(content + random.normal(0, 10, content.shape), 1, 254)
    gradient = objective(pixels)[1]
    for _ in range(3):
        direction = random.normal(size=pixels.shape)
        ahead, behind = (objective(pixels + step * direction)[0].loss for step in (0.25, -0.25))
        slope = float((gradient * direction).sum())
        assert (ahead - behind) / 0.5 == pytest.approx(slope, rel=0.02, abs=0.002 * float(np.linalg.norm(gradient)))


def test_losses_are_the_recipes_computed_by_numpy_from_the_networks_own_layers():
    content, stripes = pictures()
    other = pictures(seed=5)[0]
    losses = style.Objective(tiny(24), content, stripes, spec())(other.astype(float))[0]

    def layers(image):
        """The features of the two convolutions, by NumPy alone."""
        maps, values = [], image / 255.0
        for name in ("conv_0", "conv_1"):
            kernel, bias = tiny(24).get_layer(name).get_weights()
            patches = np.lib.stride_tricks.sliding_window_view(values, (3, 3), axis=(0, 1))
            values = np.maximum(np.einsum("ijcyx,yxco->ijo", patches, kernel) + bias, 0)
            maps.append(values)
            height, width = (size // 2 * 2 for size in values.shape[:2])
            values = values[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).max(axis=(1, 3))
        return maps

    def grams(image):
        return [np.einsum("ijc,ijd->cd", layer, layer) / layer[..., 0].size for layer in layers(image)]

    def share(values, target):
        return ((values - target) ** 2).mean() / (target**2).mean()

    assert losses.content == pytest.approx(share(layers(other)[1], layers(content)[1]), rel=1e-3)
    assert losses.style == pytest.approx(
        np.mean([share(*pair) for pair in zip(grams(other), grams(stripes), strict=True)]), rel=1e-3
    )
    assert losses.loss == pytest.approx(losses.content + 20 * losses.style + 5 * losses.total_variation, rel=1e-5)


def test_the_pixels_model_gives_the_networks_own_features_at_any_size():
    backbone = tiny()
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    first, second = style.feature_model(backbone, ["conv_0", "conv_1"])([images.astype(np.float32)])
    assert np.allclose(first, nets.cut(backbone, "conv_0")([images]), atol=1e-6)
    assert np.allclose(second, nets.cut(backbone, "conv_1")([images]), atol=1e-6)
    wide, _ = style.feature_model(backbone, ["conv_0", "conv_1"])([np.zeros((1, 20, 50, 3), np.float32)])
    assert wide.shape == (1, 18, 48, 4)


def test_an_unknown_layer_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match=r"block9: not in the network, which has .*conv_0, pool_0, conv_1$"):
        style.feature_model(tiny(), ["conv_0", "block9"])


@pytest.mark.parametrize("optimizer", [{}, {"optimizer": "adam", "learning_rate": 8.0}])
def test_a_transfer_goes_from_the_content_towards_the_style(optimizer):
    content, stripes = pictures()
    picture, history = style.transfer(tiny(), content, stripes, spec(steps=25, content_weight=0.1, **optimizer), "tiny")
    assert picture.shape == content.shape
    assert picture.dtype == np.uint8
    assert list(history["step"]) == list(range(26))
    assert history["content"][0] == pytest.approx(0, abs=1e-9)
    assert history["content"][25] > 0
    assert history["style"][25] < history["style"][0] / 2
    assert history["loss"][25] < history["loss"][0] / 2
    reached = style.Objective(tiny(), content, stripes, spec(content_weight=0.1))(picture.astype(float))[0]
    assert reached.loss == pytest.approx(history["loss"][25], rel=0.02)  # but for the rounding to whole values


@pytest.mark.parametrize(("changes", "kept"), [({"content_weight": 1000.0}, True), ({"content_weight": 0.0}, False)])
def test_a_heavy_content_weight_keeps_the_content(changes, kept):
    content, stripes = pictures()
    _, history = style.transfer(tiny(), content, stripes, spec(steps=15, total_variation_weight=0.0, **changes), "tiny")
    assert (history["content"].iloc[-1] < 0.01) == kept


def test_total_variation_weight_smooths():
    content, stripes = pictures()
    rough, smooth = (
        style.transfer(tiny(), content, stripes, spec(total_variation_weight=weight), "tiny")[1]["total_variation"].iloc[-1]
        for weight in (0.0, 1000.0)
    )
    assert smooth < rough / 4


def test_a_picture_keeps_its_aspect_ratio():
    assert style.scaled(np.zeros((300, 451, 3), np.uint8), 96).shape == (64, 96, 3)
    assert style.scaled(np.zeros((100, 50, 3), np.uint8), 400).shape == (400, 200, 3)
    with pytest.raises(ValueError, match="1000 x 20 pixels would become 256 x 5; 16 a side are needed"):
        style.scaled(np.zeros((20, 1000, 3), np.uint8), 256)


def test_losses_that_are_no_numbers_end_it_with_the_cure():
    content, stripes = pictures()
    backbone = tiny()
    backbone.get_layer("conv_0").set_weights([np.full((3, 3, 3, 4), np.nan), np.zeros(4)])
    with pytest.raises(FloatingPointError, match="learning_rate"):
        style.transfer(backbone, content, stripes, spec(), "tiny")


TRANSFER = """
import sys
from pathlib import Path
import numpy as np
from relearn.painting import style
from relearn.params.base import Compute
from relearn.training import compute
from tests.unit.painting import test_style
compute.configure(Compute(precision="float32", threads=2, jobs=1))
content, stripes = (style.scaled(image, 48) for image in test_style.pictures())
for name, options in (("lbfgs", {}), ("adam", {"learning_rate": 8.0})):
    picture, history = style.transfer(test_style.tiny(), content, stripes, test_style.spec(optimizer=name, **options), name)
    style.save(picture, Path(sys.argv[1]) / f"{name}.png")
    history.to_csv(Path(sys.argv[1]) / f"{name}.csv", float_format="%.17g")
"""


def test_two_processes_paint_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    both = [subprocess.Popen([sys.executable, "-c", TRANSFER, str(tmp_path / name)], cwd=ROOT) for name in ("a", "b")]
    assert [process.wait() for process in both] == [0, 0]
    for file in ("lbfgs.png", "lbfgs.csv", "adam.png", "adam.csv"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_max_pooling_and_preprocessing_of_keras_own_vgg16_survive_the_change_to_float_pixels():
    """vgg16 at 32 pixels with random weights: its features by pixels are those of its uint8 images."""
    pixels = keras.Input((32, 32, 3), dtype="uint8")
    scaled = keras.layers.Rescaling(1.0, offset=-110.0)(pixels)
    backbone = keras.applications.VGG16(weights=None, include_top=False, input_tensor=scaled)
    images = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    model = style.feature_model(backbone, ["block2_conv1"])
    assert np.allclose(model([images.astype(np.float32)]), nets.cut(backbone, "block2_conv1")([images]), rtol=1e-4, atol=1e-3)
