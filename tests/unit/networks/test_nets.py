import numpy as np
import pytest
from PIL import Image

from relearn.data.arrays import Split
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.training import Augmentation, Fit, Optimizer
from relearn.training import fit

TINY = "C4 P2 D.25 flatten F6 D.5"


@pytest.mark.parametrize(("key", "side", "printed"), [("shallow", 32, 1_626_442), ("deep", 32, 1_139_338)])
def test_parameter_counts_are_the_chapters(params_with, key, side, printed):
    assert nets.build(params_with({}).nets[key], (side, side, 3), 10, seed=1).count_params() == printed


@pytest.mark.parametrize(("key", "shape", "printed"), [("lenet", (28, 28, 1), 431_080), ("scratch", (224, 224, 3), 99_136_170)])
def test_parameter_counts_are_the_other_chapters(params_with, key, shape, printed):
    assert nets.build(params_with({}).nets[key], shape, 10, seed=1).count_params() == printed


def fit_of(**fields):
    optimizer = {"name": "sgd", "learning_rate": 0.1}
    common = {"images": "x", "labels": "x", "net": "x", "optimizer": optimizer, "batch": 4, "epochs": 1}
    return Fit.model_validate(common | fields)


def split_of(images):
    labels = np.zeros(len(images), np.uint8)
    return Split(images, np.arange(len(images)), labels, labels)


PIXELS = np.random.default_rng(5).integers(0, 256, (9, 6, 6, 3), np.uint8)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ("unit", PIXELS / 255),
        ("standardized", (PIXELS - PIXELS.mean()) / PIXELS.std()),
        ("caffe", PIXELS - np.array([123.68, 116.779, 103.939])),
    ],
)
def test_pixels_are_scaled_as_the_chapters_say(pixels, expected):
    front = keras.Sequential(nets.front(fit_of(pixels=pixels), split_of(PIXELS)))
    assert np.allclose(front.predict_on_batch(PIXELS), expected, atol=1e-3)


def test_an_identity_convolution_hands_on_its_input_and_adds_random_filters():
    images = np.random.default_rng(1).normal(size=(4, 6, 6, 3)).astype("float32")
    front = [keras.Input((6, 6, 3))]
    model = nets.build("C5i flatten", (6, 6, 3), 2, 1, front)
    out = nets.cut(model, "identity_0").predict_on_batch(images)
    assert np.allclose(out[..., :3], images, atol=1e-6)
    assert 0.1 < out[..., 3:].std() < 1
    assert model.get_layer("identity_0").bias is None
    fewer = nets.cut(nets.build("C2i flatten", (6, 6, 3), 2, 1, front), "identity_0").predict_on_batch(images)
    assert np.allclose(fewer, images[..., :2], atol=1e-6)


def test_the_softmax_has_the_temperature_of_the_shorthand():
    features = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    model = nets.build("flatten T9", (4,), 3, 1, [keras.Input((4,))])
    [kernel] = model.get_layer(nets.HEAD).get_weights()
    powers = np.exp(features @ kernel / 9)
    assert np.allclose(model.predict_on_batch(features), powers / powers.sum(axis=1, keepdims=True), atol=1e-5)


def softmax_of(sigmoid):
    """The softmax network of two classes that is the same function: the second logit is the sigmoid's, the first zero."""
    twin = nets.build("flatten F3", (4,), 2, 1, [keras.Input((4,))])
    dense, (kernel, bias) = sigmoid.get_layer("dense_0").get_weights(), sigmoid.get_layer(nets.HEAD).get_weights()
    twin.get_layer("dense_0").set_weights(dense)
    twin.get_layer(nets.HEAD).set_weights([np.hstack([0 * kernel, kernel]), np.append(0, bias)])
    return twin


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_a_sigmoid_unit_is_the_softmax_of_two_in_probabilities_loss_accuracy_and_gradient(smoothing):
    features, labels = np.random.default_rng(1).normal(size=(6, 4)).astype("float32"), np.array([0, 1, 1, 1, 1, 0], np.uint8)
    sigmoid = nets.build("flatten F3 sigmoid", (4,), 2, 1, [keras.Input((4,))])
    softmax, spec = softmax_of(sigmoid), fit_of(label_smoothing=smoothing)
    steps = {"sigmoid": sigmoid, "softmax": softmax}
    for model in steps.values():
        nets.compile_for(model, spec.model_copy(update={"optimizer": Optimizer(name="sgd", learning_rate=0.1)}), 6)
    split = split_of(features)
    assert np.allclose(fit.predict(sigmoid, split), fit.predict(softmax, split), atol=1e-6)
    ours, theirs = (model.evaluate(features, labels, verbose=0) for model in steps.values())
    assert ours == pytest.approx(theirs, abs=1e-6)
    before = sigmoid.get_layer("dense_0").get_weights()[0]
    for model in steps.values():
        model.train_on_batch(features, labels)
    moved, expected = (model.get_layer("dense_0").get_weights()[0] for model in steps.values())
    assert np.abs(moved - before).max() > 1e-4
    assert np.allclose(moved, expected, atol=1e-6)


def test_a_sigmoid_unit_is_for_two_classes_and_stays_one_when_its_network_is_adapted():
    with pytest.raises(ValueError, match="one sigmoid unit, which tells two classes apart; there are 3"):
        nets.build("flatten sigmoid", (4,), 3, 1, [keras.Input((4,))])
    base = nets.build("flatten F3 sigmoid", (4, 4, 1), 2, 1)
    assert [nets.adapt(base, 2, head, [], 1).output_shape[-1] for head in ("replaced", "stacked")] == [1, 1]
    assert nets.adapt(base, 3, "replaced", [], 1).output_shape[-1] == 3


def test_smoothed_labels_give_the_cross_entropy_with_part_of_the_probability_on_every_class():
    model = nets.build("flatten", (4,), 3, 1, [keras.Input((4,))])
    features, labels = np.random.default_rng(1).normal(size=(6, 4)).astype("float32"), np.array([0, 1, 2, 2, 1, 0])
    nets.compile_for(model, fit_of(label_smoothing=0.3), 6)
    targets = np.full((6, 3), 0.1) + 0.7 * np.eye(3)[labels]
    expected = -(targets * np.log(model.predict_on_batch(features))).sum(axis=1).mean()
    loss, accuracy = model.evaluate(features, labels, verbose=0)
    assert loss == pytest.approx(expected, rel=1e-4)
    assert accuracy == pytest.approx(np.mean(model.predict_on_batch(features).argmax(axis=1) == labels))


def test_operations_are_those_counted_by_hand(params_with):
    """Two for each weight of a convolution at each of its places, and for each weight of a dense layer."""
    shallow = nets.build(params_with({}).nets["shallow"], (32, 32, 3), 10, seed=1)
    by_hand = 30 * 30 * 27 * 32 + 28 * 28 * 288 * 64 + 12544 * 128 + 128 * 10
    assert nets.operations(shallow) == 2 * by_hand


def test_fast94_has_the_published_networks_parameters(params_with):
    """1.97 million are published; Keras also counts the moving means and variances, twice 1,152."""
    settings = params_with({})
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    front = nets.front(settings.train["fast94"], split_of(images))
    model = nets.build(settings.nets["fast94"], (32, 32, 3), 10, 1, front)
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * 2 * 3 * 24
    assert model.count_params() == convolutions + 24 + 256 * 10 + 1_152 + 2 * 1_152


def test_images_are_scaled_up_inside_the_network():
    front = keras.Sequential(nets.front(fit_of(side=12), split_of(PIXELS)))
    expected = [np.asarray(Image.fromarray(image).resize((12, 12), Image.Resampling.BILINEAR)) for image in PIXELS]
    assert np.allclose(front.predict_on_batch(PIXELS) * 255, np.stack(expected), atol=1)


def test_an_embedding_goes_in_as_it_is():
    features = np.random.default_rng(1).normal(size=(5, 2, 2, 3)).astype("float16")
    model = nets.build("flatten F4", (2, 2, 3), 3, seed=1, front=nets.front(fit_of(images="embeddings/x"), split_of(features)))
    assert model.count_params() == (12 * 4 + 4) + (4 * 3 + 3)
    assert model.predict_on_batch(features).shape == (5, 3)


ALL_CHANGES = Augmentation(rotation_degrees=30, shift=0.2, shear_degrees=10, zoom=0.2, mirror=True)


def test_augmentation_changes_images_in_training_only_and_by_its_seed_only():
    random = keras.Sequential([keras.Input((6, 6, 3), dtype="uint8"), *nets.augmentation(ALL_CHANGES)])
    assert [layer.name for layer in random.layers] == ["rotate", "shift", "shear", "zoom", "mirror"]
    assert np.array_equal(random(PIXELS, training=False), PIXELS)
    drawn = []
    for epoch in (0, 1, 0):
        fit.reset_random_layers(random, 3, epoch)
        drawn.append(np.asarray(random(PIXELS, training=True)))
    assert np.array_equal(drawn[0], drawn[2])
    assert not np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], PIXELS)


def test_augmentation_is_no_part_of_what_is_saved(tmp_path):
    model = nets.build(TINY, (6, 6, 3), 3, seed=1)
    spec = fit_of(optimizer={"name": "sgd", "learning_rate": 0.5}, augmentation=ALL_CHANGES)
    trainer = nets.trainer(model, spec, 9)
    before = model.get_weights()
    trainer.train_on_batch(PIXELS, np.arange(9) % 3)
    assert not np.array_equal(before[0], model.get_weights()[0])
    keras_file.save(model, tmp_path / "a.keras")
    loaded = keras_file.load(tmp_path / "a.keras")
    assert "rotate" not in [layer.name for layer in loaded.layers]
    assert np.array_equal(loaded.predict_on_batch(PIXELS), model.predict_on_batch(PIXELS))


def test_a_network_for_data_takes_its_images_as_the_block_says():
    model = nets.for_data(TINY, fit_of(pixels="standardized"), split_of(PIXELS), 5, seed=1)
    scaled = nets.cut(model, "scale").predict_on_batch(PIXELS)
    assert np.allclose(scaled, (PIXELS - PIXELS.mean()) / PIXELS.std(), atol=1e-3)
    assert model.output_shape == (None, 5)
    same = nets.build(TINY, (6, 6, 3), 5, seed=1)
    assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), same.get_weights(), strict=True))


def test_parameters_that_are_trained_are_counted_by_hand():
    model = nets.build("C4 BN flatten F5", (6, 6, 3), 3, seed=1)
    counts = {"conv": 4 * 27 + 4, "norm": 2 * 4, "dense": 5 * 64 + 5, "head": 3 * 5 + 3}  # moving statistics are not trained
    assert nets.trainable_parameters(model) == sum(counts.values())
    model.get_layer("conv_0").trainable = False
    assert nets.trainable_parameters(model) == sum(counts.values()) - counts["conv"]


def test_weights_depend_on_the_seed_alone():
    first, again, other = (nets.build(TINY, (8, 8, 3), 3, seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_a_replaced_head_takes_the_place_of_the_old_softmax():
    base = nets.build(TINY, (8, 8, 3), 4, seed=1)
    tuned = nets.adapt(base, 2, "replaced", ["conv_0"], seed=2)
    assert [layer.name for layer in tuned.layers if layer.name.startswith("head")] == ["head"]
    assert tuned.get_layer("head").units == 2
    assert tuned.get_layer("head").kernel.shape == (6, 2)
    assert np.array_equal(tuned.get_layer("conv_0").get_weights()[0], base.get_layer("conv_0").get_weights()[0])


def test_a_stacked_head_lies_on_the_old_softmax():
    base = nets.build(TINY, (8, 8, 3), 4, seed=1)
    tuned = nets.adapt(base, 2, "stacked", [], seed=2)
    assert [layer.name for layer in tuned.layers[-2:]] == ["head", "head_stacked"]
    assert tuned.get_layer("head_stacked").kernel.shape == (4, 2)


def test_frozen_layers_keep_their_weights_and_the_base_keeps_all(params_with):
    base = nets.build(TINY, (8, 8, 3), 4, seed=1)
    before = [weight.copy() for weight in base.get_weights()]
    tuned = nets.adapt(base, 2, "replaced", ["conv_0"], seed=2)
    nets.compile_for(tuned, fit_of(optimizer={"name": "adadelta", "learning_rate": 1.0}), 8)
    dense = tuned.get_layer("dense_0").get_weights()[0]
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), np.uint8)
    tuned.train_on_batch(images, np.array([0, 1] * 4))
    assert np.array_equal(tuned.get_layer("conv_0").get_weights()[0], before[0])
    assert not np.array_equal(tuned.get_layer("dense_0").get_weights()[0], dense)
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))


@pytest.mark.parametrize(("name", "kind"), [("adadelta", "Adadelta"), ("adam", "Adam"), ("rmsprop", "RMSprop"), ("sgd", "SGD")])
def test_every_optimizer_of_the_parameters_is_keras_own(name, kind):
    model = nets.build(TINY, (8, 8, 3), 2, seed=1)
    momentum = 0.9 if name in ("sgd", "rmsprop") else 0.0
    nets.compile_for(model, fit_of(optimizer={"name": name, "learning_rate": 0.125, "momentum": momentum}), 8)
    assert type(model.optimizer).__name__ == kind
    assert float(model.optimizer.learning_rate) == 0.125
    assert getattr(model.optimizer, "momentum", 0.0) == momentum


def test_cut_gives_the_named_layers_output():
    model = nets.build(TINY, (8, 8, 3), 4, seed=1)
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    lower = nets.cut(model, "dense_0").predict_on_batch(images)
    kernel, bias = model.get_layer("head").get_weights()
    logits = lower @ kernel + bias
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(softmax, model.predict_on_batch(images), atol=1e-5)
