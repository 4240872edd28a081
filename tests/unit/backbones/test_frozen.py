"""Layers that are not trained: which, and what running them once or anew in every epoch does."""

import numpy as np
import pytest

from relearn.backbones import backbones, frozen
from relearn.data.arrays import Split
from relearn.networks import nets
from relearn.networks.engine import keras
from relearn.params.training import Augmentation
from relearn.params.transfer import Transfer
from relearn.training import fit

HEAD = "GAP F6"
CHANGES = Augmentation(rotation_degrees=30, mirror=True)


@pytest.fixture
def model():
    """Two convolutions with batch normalization as a backbone, and a head."""
    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    x = keras.layers.Rescaling(1 / 255, name="scale")(image)
    for name in ("lower", "upper"):
        x = keras.layers.Conv2D(5, 3, padding="same", name=f"{name}_conv")(x)
        x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
        x = keras.layers.ReLU(name=f"{name}_relu")(x)
    return nets.with_head(keras.Model(image, x, name="trunk"), HEAD, 3, seed=1)


def photographs(n=24):
    random = np.random.default_rng(n)
    labels = random.integers(0, 3, n).astype(np.uint8)
    images = (random.integers(0, 80, (n, 8, 8, 3)) + 80 * labels[:, None, None, None]).astype(np.uint8)
    return Split(images, np.arange(n), labels, labels)


def block(**fields):
    optimizer = {"name": "sgd", "learning_rate": 0.1}
    common = {"images": "x", "backbone": "x", "net": "x", "optimizer": optimizer, "batch": 8, "epochs": 2}
    return Transfer.model_validate(common | fields)


def trainable(model):
    return [layer.name for layer in model.layers if layer.trainable_weights]


def test_without_a_layer_to_train_from_only_the_heads_weights_are_trained(model):
    assert frozen.freeze(model, None, HEAD) == "dense_0"
    assert trainable(model) == ["dense_0", "head"]


@pytest.mark.parametrize("train_from", ["upper_conv", "upper", 4])
def test_from_a_layer_on_all_but_batch_normalization_is_trained(model, train_from):
    assert frozen.freeze(model, train_from, "") == "upper_conv"
    assert trainable(model) == ["upper_conv", "dense_0", "head"]


def test_a_layer_that_is_not_there_is_told(model):
    with pytest.raises(ValueError, match="'lowest'"):
        frozen.freeze(model, "lowest", "")


def test_what_is_frozen_never_changes_and_what_is_trained_does(model, tmp_path):
    before = {layer.name: layer.get_weights() for layer in model.layers}
    frozen.freeze(model, "upper_conv", "")
    trainer = nets.trainer(model, block(augmentation=CHANGES), 24)
    fit.run(trainer, photographs(), photographs(6), block(), 1, tmp_path, "x")
    for name, weights in before.items():
        same = all(np.array_equal(a, b) for a, b in zip(weights, model.get_layer(name).get_weights(), strict=True))
        assert same == (name not in ("upper_conv", "dense_0", "head") or not weights), name


def test_running_the_frozen_part_once_trains_what_running_it_every_epoch_does(model, tmp_path):
    train, holdout, spec = photographs(), photographs(6), block()
    start = [np.array(weight) for weight in model.get_weights()]
    histories, ends = [], []
    for cached in (True, False):
        model.set_weights(start)
        first = frozen.freeze(model, "upper_conv", "")
        part, phase, splits = model, spec, [train, holdout]
        if cached:
            part, phase, splits = frozen.cut(model, first, spec, splits, 1, tmp_path, "x")
        nets.compile_for(part, phase, len(train))
        histories.append(fit.run(part, splits[0], splits[1], phase, 1, tmp_path / f"state{cached}", "x"))
        ends.append([np.array(weight) for weight in model.get_weights()])
    assert np.allclose(histories[0]["loss"], histories[1]["loss"], rtol=0.01)  # kept as float16
    assert all(np.allclose(a, b, atol=0.01) for a, b in zip(*ends, strict=True))
    assert not all(np.allclose(a, b, atol=0.01) for a, b in zip(start, ends[0], strict=True))


def test_copies_are_made_of_training_images_only_and_are_not_augmented_once_more(model, tmp_path):
    first = frozen.freeze(model, None, HEAD)
    spec = block(augmentation=CHANGES, copies=2)
    part, phase, (train, holdout) = frozen.cut(model, first, spec, [photographs(), photographs(6)], 1, tmp_path, "x")
    assert [layer.name for layer in part.layers if layer.weights] == ["dense_0", "head"]
    assert (train.copies, len(train), holdout.copies, len(holdout)) == (2, 48, 1, 6)
    assert phase.augmentation is None
    assert phase.epochs == spec.epochs
    lower = backbones.split(model, first)[0]
    assert np.allclose(holdout.images, lower.predict_on_batch(photographs(6).images), atol=1e-2)


def test_copies_are_augmented_anew_and_the_first_run_is_taken_up(model, tmp_path):
    train = photographs()
    lower = keras.Model(model.inputs, model.get_layer("scale").output)
    copied = frozen.run_once(lower, train, CHANGES, 3, 1, tmp_path / "train.npy", "train")
    values = np.array(copied.images)
    assert copied.copies == 3
    assert len(copied) == 72
    assert np.array_equal(copied.labels, np.tile(train.labels, 3))
    blocks = values.reshape(3, 24, 8, 8, 3)
    assert not np.array_equal(blocks[0], blocks[1])
    assert not np.array_equal(blocks[1], blocks[2])
    written = (tmp_path / "train.npy").stat().st_mtime_ns
    again = frozen.run_once(lower, train, CHANGES, 3, 1, tmp_path / "train.npy", "train")
    assert (tmp_path / "train.npy").stat().st_mtime_ns == written
    assert np.array_equal(again.images, values)
    other = frozen.run_once(lower, train, CHANGES, 3, 2, tmp_path / "other/train.npy", "train")
    assert not np.array_equal(other.images, values)


def test_a_single_copy_is_augmented_and_the_holdout_never(model, tmp_path):
    lower = keras.Model(model.inputs, model.get_layer("scale").output)
    plain = photographs(6).images / 255
    one = frozen.run_once(lower, photographs(6), CHANGES, 1, 1, tmp_path / "train.npy", "train")
    holdout = frozen.run_once(lower, photographs(6), None, 1, 1, tmp_path / "holdout.npy", "holdout")
    assert np.allclose(holdout.images, plain, atol=1e-3)
    assert not np.allclose(one.images, plain, atol=1e-3)
    assert holdout.copies == one.copies == 1


def test_numbers_beyond_float16_are_told(model, tmp_path):
    huge = keras.Model(model.inputs, model.get_layer("scale").output * 1e6)
    with pytest.raises(FloatingPointError, match="beyond float16"):
        frozen.run_once(huge, photographs(6), None, 1, 1, tmp_path / "train.npy", "train")
    assert not (tmp_path / "train.npy").exists()


@pytest.mark.parametrize(
    ("net", "first"),
    [
        ("C4s GAP F6", "conv_0"),
        ("BN GAP F6", "norm_0"),
        ("GAP F6", "dense_0"),
        ("C4i GAP F6", "identity_0"),
        ("BNc GAP F6", "centring_0"),
    ],
)
def test_all_of_a_head_is_trained(model, net, first):
    trunk = backbones.trunk(keras.Model(model.inputs, model.get_layer("upper_relu").output))
    with_head = nets.with_head(trunk, net, 3, seed=1)
    assert frozen.freeze(with_head, None, net) == first
    assert trainable(with_head)[0] == first


def test_augmented_images_are_rounded_not_cut_off(model):
    scale = keras.Model(model.inputs, model.get_layer("scale").output)
    trainer = nets.trainer(scale, block(augmentation=CHANGES), 6)
    images = photographs(6).images
    assert np.allclose(trainer.predict_on_batch(images), images / 255, atol=1e-6)
