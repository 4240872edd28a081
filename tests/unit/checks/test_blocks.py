"""What a single block must fulfil: each rule has a row, and a line of its own."""

import pytest

from relearn.params.base import ParamsError

SHA = "0" * 64
TRANSFER = {"images": "flowers17", "optimizer": {"name": "sgd", "learning_rate": 0.1}, "batch": 8, "epochs": 1}
HEAD = "recipes.augmented.head"


@pytest.mark.parametrize(("changes", "message"), [
    ({"download.mnist.sources.0.url": None}, "download.mnist.sources.0: exactly one of url, npm, pip is needed"),
    ({"download.mnist.sources.1.npm": "x@1"}, "download.mnist.sources.1: only one of url, npm, pip can be given"),
    ({"download.mnist.sources.1.files": {"a": SHA, "b": SHA}}, "download.mnist.sources.1: a package is one file"),
    ({"backbones.hed.sources.0.files": {"../a": SHA}}, "backbones.hed.sources.0: files are plain names, without folders"),
    ({"imagenet_classes.url": "https://localhost"}, "imagenet_classes: only one of url, npm, pip can be given"),
    ({"download.mnist.arrays": {"train_images": SHA}}, "download.mnist: arrays lacks test_images, test_labels, train_labels"),
    ({"download.mnist.classes": ["0", "0"]}, "download.mnist: classes ['0', '0'] has a name twice"),
    ({"relabel.animal_vehicle.keep": [2, 3]}, "relabel.animal_vehicle: keep and positives cannot both be given"),
    ({"relabel.animal_vehicle.classes": None}, "relabel.animal_vehicle: positives and classes (the names of the negative"),
    ({"relabel.vehicles.classes": ["a", "b"]}, "relabel.vehicles: positives and classes (the names of the negative"),
    ({"relabel.animal_vehicle.positives": [2, 2]}, "relabel.animal_vehicle: positives [2, 2] names a class twice"),
    ({"relabel.vehicles.keep": [1, 1]}, "relabel.vehicles: keep [1, 1] names a class twice"),
    ({"train.deep_sgd.optimizer": {"name": "adam", "learning_rate": 0.1, "momentum": 0.9}},
     "train.deep_sgd.optimizer: adam has no momentum; sgd and rmsprop have"),
    ({"train.fast94.optimizer.name": "adam", "train.fast94.optimizer.momentum": 0.0},
     "train.fast94.optimizer: nesterov, weight_decay and norm_shift_rate are for sgd, not for adam"),
    ({"train.fast94.optimizer.momentum": 0.0}, "train.fast94.optimizer: nesterov needs momentum"),
    ({"train.fast94.augmentation.mirror": True},
     "train.fast94.augmentation: mirror and mirror_in_turn cannot both be given"),
    ({"train.lenet.validation": 100},
     "train.lenet: holdout (of the training images) and validation (of the test images) cannot both be given"),
    ({"train.fast94.side": 64}, "train.fast94: pixels: whitened takes images as they are, without side"),
    ({"train.head_rmsprop.pixels": "caffe"}, "train.head_rmsprop: side, pixels and augmentation are for images, not for"),
    ({"one_vs_rest.holdout": 0.1, "one_vs_rest.validation": 9}, "one_vs_rest: holdout (of the training images) and validation"),
    ({"finetune.freeze_none.holdout": 0.1}, "finetune.freeze_none: holdout (of the training images) and validation"),
    ({"protocols.T2.holdout": 0.1, "protocols.T2.validation": 9}, "learning_curve.dense: holdout (of the training images)"),
    ({"classifiers.linear_svm": {"kind": "linear_svm", "trees": 3}}, "classifiers.linear_svm: linear_svm takes C; given: trees"),
    ({"classifiers.nearest_centroid.C": 1.0}, "classifiers.nearest_centroid: nearest_centroid takes no numbers; given: C"),
    ({"classifiers.random_forest": {"kind": "random_forest"}}, "classifiers.random_forest: random_forest takes trees; given:"),
    ({"style_transfer.pagoda.learning_rate": 1.0},
     "style_transfer.pagoda: learning_rate goes with optimizer adam, and only with it"),
    ({"style_transfer.pagoda.optimizer": "adam"},
     "style_transfer.pagoda: learning_rate goes with optimizer adam, and only with it"),
])  # fmt: skip
def test_a_block_that_cannot_be_is_told(params_with, changes, message):
    with pytest.raises(ParamsError) as error:
        params_with(changes)
    assert [line for line in str(error.value).splitlines() if line.startswith(message)]


@pytest.mark.parametrize(("changes", "message"), [
    ({"datasets.flowers17.classes": None}, "datasets.flowers17: images_per_class needs classes, in the order of the files'"),
    ({"recipes.frozen.tune.holdout": 0.1}, "recipes.frozen: head.holdout and tune.holdout differ: the second curve would show"),
    ({"recipes.frozen.head.copies": 2}, "recipes.frozen.head: copies: 2 needs augmentation"),
    ({f"{HEAD}.copies": 2, f"{HEAD}.augmentation": {"mirror_in_turn": True}},
     "recipes.augmented.head: augmentation: copies are made by rotation, shift, shear, zoom and mirror, not by"),
    ({f"{HEAD}.copies": 2, f"{HEAD}.augmentation": {"crop_padding": 2}},
     "recipes.augmented.head: augmentation: copies are made by rotation, shift, shear, zoom and mirror, not by"),
    ({"transfer": {"own": TRANSFER}}, "transfer.own: needs a backbone, or a transfer to start from, and not both"),
    ({"transfer": {"own": TRANSFER | {"backbone": "lite0", "start": "flowers17_head", "net": "GAP"}}},
     "transfer.own: needs a backbone, or a transfer to start from, and not both"),
    ({"transfer": {"own": TRANSFER | {"backbone": "lite0"}}},
     "transfer.own: net (the head) is needed with a backbone to start from, and only then"),
    ({"transfer": {"own": TRANSFER | {"start": "flowers17_head", "net": "GAP"}}},
     "transfer.own: net (the head) is needed with a backbone to start from, and only then"),
    ({"archives.flowers17.sources.0.npm": "x@1", "archives.flowers17.sources.0.pip": "x==1"},
     "archives.flowers17.sources.0: only one of url, npm, pip can be given"),
])  # fmt: skip
def test_a_block_of_photographs_that_cannot_be_is_told(photos_with, changes, message):
    with pytest.raises(ParamsError) as error:
        photos_with(changes)
    assert [line for line in str(error.value).splitlines() if line.startswith(message)]
