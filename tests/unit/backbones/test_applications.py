import importlib

import numpy as np
import pytest

from relearn.backbones import applications, backbones
from relearn.networks.engine import keras
from relearn.params.data import Backbone
from relearn.sources import downloads


@pytest.mark.parametrize("name", ["weights.keras", "weights.npz", "weights.weights.json"])
def test_weights_are_taken_from_h5_files_only(name, tmp_path):
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=rf"{name}: is no .h5 file of weights"):
        applications.load(keras.Sequential(), tmp_path / name)


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
