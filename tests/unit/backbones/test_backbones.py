import numpy as np
import pytest

from relearn.backbones import backbones
from relearn.networks import keras_file
from relearn.networks.engine import keras
from relearn.params.data import Backbone
from tests.unit.backbones.conftest import TINY, random_network


def test_class_names_are_a_thousand_different_ones_in_imagenets_order(names):
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 281: "tabby", 285: "Egyptian cat", 675: "moving van", 820: "steam locomotive", 999: "toilet tissue"}
    assert {place: names[place] for place in known} == known
    assert [name for name in names if name.startswith(("crane", "maillot"))] == [
        "crane (n02012849)", "crane (n03126707)", "maillot (n03710637)", "maillot (tank suit)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "flat", "total", "trainable"),
    [("resnet50", 100_352, 49_280_650, 25_692_938), ("vgg16", 25_088, 21_140_042, 6_425_354)],
)
def test_a_head_on_a_trunk_has_the_printed_number_of_parameters(name, flat, total, trainable):
    model = random_network(name)
    assert model.count_params() == {"resnet50": 25_636_712, "vgg16": 138_357_544}[name]
    trunk = backbones.trunk(model)
    assert np.prod(trunk.output_shape[1:]) == flat
    trunk.trainable = False
    whole = keras.Sequential([trunk, keras.layers.Flatten(), keras.layers.Dense(256), keras.layers.Dense(10)])
    assert whole.count_params() == total
    assert sum(int(np.prod(weight.shape)) for weight in whole.trainable_weights) == trainable
    if name == "vgg16":
        with pytest.raises(ValueError, match=r"vgg16 cannot take images of 96 pixels.*backbones.trunk"):
            backbones.resized(model, 96)
        assert backbones.trunk(model, 96).output_shape == (None, 3, 3, 512)
        assert [layer.name for layer in backbones.numbered(model)][15] == "block5_conv1"  # L's layers "from 15 on"
        lower, upper = backbones.split(model, 15)
        assert lower.output_shape == (None, 14, 14, 512)
        assert upper.layers[1].name == "block5_conv1"


def test_resized_is_the_same_network_at_another_side(lite0, photographs):
    small = backbones.resized(lite0, 96)
    assert small.input_shape == (None, 96, 96, 3)
    assert all(np.array_equal(a, b) for a, b in zip(small.get_weights(), lite0.get_weights(), strict=True))
    assert np.array_equal(
        backbones.resized(lite0, 224).predict_on_batch(photographs[:2]), lite0.predict_on_batch(photographs[:2])
    )
    assert backbones.trunk(lite0, 96).output_shape == (None, 3, 3, 1280)


def test_cut_points_are_where_all_paths_meet(untrained):
    image = keras.Input((8, 8, 3), name="image")
    a = keras.layers.Conv2D(4, 3, padding="same", name="a")(image)
    b = keras.layers.Conv2D(4, 3, padding="same", name="b")(a)
    c = keras.layers.Conv2D(4, 1, name="c")(a)
    d = keras.layers.Add(name="d")([b, c])
    net = keras.Model(image, keras.layers.Flatten(name="e")(d))
    assert backbones.cut_points(net) == ["a", "d"]
    assert backbones.features(net) == "d"
    cuts = backbones.cut_points(untrained)
    outputs = [layer.name for layer in untrained.layers if layer.name.startswith("block_") and layer.name.endswith("_out")]
    assert [name for name in cuts if name.endswith("_out")] == outputs
    assert len(outputs) == 16
    assert "block_2b_expand" not in cuts  # the sum at the block's end goes round it


@pytest.mark.parametrize("start", ["block_6b", "block_6b_project"])
def test_a_split_network_gives_what_the_whole_gives_and_shares_its_weights(untrained, start, tmp_path):
    lower, upper = backbones.split(untrained, start)
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    before = untrained.predict_on_batch(images)
    seam = lower.predict_on_batch(images)
    assert seam.shape == (2, 7, 7, 192)
    assert np.allclose(upper.predict_on_batch(seam), before, atol=1e-6)
    assert "block_6a_out" not in [layer.name for layer in upper.layers]
    head = upper.get_layer("head")
    kept = head.bias.numpy()
    head.bias.assign_add(np.eye(1000)[3] * 5)
    assert untrained.predict_on_batch(images)[0, 3] > 10 * before[0, 3]
    keras_file.save(untrained, tmp_path / "after.keras")
    assert keras_file.load(tmp_path / "after.keras").count_params() == untrained.count_params()
    head.bias.assign(kept)


def test_inception_v3_is_cut_below_the_books_index_249():
    model = random_network("InceptionV3")
    lower, upper = backbones.split(model, 249)
    assert lower.output_shape == (None, 8, 8, 1280)
    assert [layer.name for layer in backbones.numbered(model)][248] == "mixed8" == lower.layers[-1].name
    assert upper.output_shape == (None, 1000)


@pytest.mark.parametrize("start", ["block_9a", 1000, -1, 0])
def test_a_layer_that_is_not_there_is_answered_with_the_cut_points(untrained, start):
    with pytest.raises(ValueError, match=r"can be cut at scale, stem_conv, .*block_7a_out|nothing to leave"):
        backbones.split(untrained, start)


def test_random_weights_depend_on_the_seed_alone():
    first, again, other = (random_network(TINY, seed).get_weights()[0] for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_unknown_architectures_are_answered_with_close_ones():
    with pytest.raises(ValueError, match=r"'resnet5' is not known: close to resnet50.*there are efficientnet_lite0"):
        random_network("resnet5")
    with pytest.raises(ValueError, match=r"nowhere.h5: no such file"):
        backbones.make(Backbone(architecture="efficientnet_lite0", weights="nowhere.h5"), [])
    with pytest.raises(ValueError, match=r"efficientnet_lite1: no file has its weights: `sources`"):
        backbones.make(Backbone(architecture="efficientnet_lite1"), [])
