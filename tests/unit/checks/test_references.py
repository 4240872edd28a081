"""What blocks say of one another: each rule has a row, and a line of its own."""

import pytest

from relearn.params.base import ParamsError
from tests.conftest import changed


def block(path):
    """A block of params.yaml as it stands there."""
    node = changed("params.yaml", {})
    for name in path.split("."):
        node = node[name]
    return node


CURVE = "learning_curve.lenet"


@pytest.mark.parametrize(("changes", "message"), [
    ({"nets.deep": "C32 K5 flatten"}, "nets.deep: 'K5' is none of C<filters>[k<kernel>][s], C<filters>i, BN,"),
    ({"augment.mnist": block("augment.cifar10_augmented")}, "augment.mnist: download has a data set of that name"),
    ({"augment.cifar10_augmented.images": "cifar"}, "augment.cifar10_augmented.images: 'cifar' is none of cifar10, mnist"),
    ({"augment.cifar10_augmented.crop": 33}, "augment.cifar10_augmented.crop: 33 is larger than the images, 32"),
    ({"augment.cifar10_augmented.max_offset": 5},
     "augment.cifar10_augmented.max_offset: 5 leaves the image; 0 to 4 is possible"),
    ({"augment.cifar10_augmented.source_images": 50001},
     "augment.cifar10_augmented.source_images: 50001 is more than there are, 50000"),
    ({"describe.first_2000.images": "cifar"}, "describe.first_2000.images: 'cifar' is none of cifar10, mnist"),
    ({"describe.first_2000.images": "mnist"}, "describe.first_2000.images: 'mnist' has grey images; three channels are"),
    ({"describe.first_2000.test_images": 10001}, "describe.first_2000.test_images: 10001 is more than there are, 10000"),
    ({"describe.first_2000.example": 2000}, "describe.first_2000.example: is more than train_images, 2000"),
    ({"describe.first_2000.sheet": 2001}, "describe.first_2000.sheet: is more than train_images, 2000"),
    ({"relabel.vehicles.images": "cifar"}, "relabel.vehicles.images: 'cifar' is none of cifar10, mnist, cifar10_augmented, "),
    ({"relabel.first_2000_embedded.images": "embeddings/no"}, "relabel.first_2000_embedded.images: 'embeddings/no' is none of"),
    ({"relabel.first_2000.train_images": 50001}, "relabel.first_2000.train_images: 50001 is more than there are, 50000"),
    ({"relabel.vehicles.train_images": 25001}, "relabel.vehicles.train_images: 25001 is more than there are, 25000"),
    ({"relabel.first_2000_embedded.train_images": 601},
     "relabel.first_2000_embedded.train_images: 601 is more than there are, 600"),
    ({"relabel.vehicles.keep": [0, 1, 8, 10]}, "relabel.vehicles.keep: class 10 does not exist; classes are 0 to 9"),
    ({"relabel.animal_vehicle.positives": [-1]}, "relabel.animal_vehicle.positives: class -1 does not exist"),
    ({"relabel.animal_vehicle.positives": list(range(10))}, "relabel.animal_vehicle.positives: every class is positive; at"),
    ({"relabel.first_2000_embedded.crop": 3}, "relabel.first_2000_embedded.crop: an embedding cannot be cropped"),
    ({"relabel.cat_dog_small.crop": 40}, "relabel.cat_dog_small.crop: 40 is larger than the images, 32"),
    ({"train.deep_sgd.labels": "no"}, "train.deep_sgd.labels: 'no' is none of cifar10_shuffled, animal_vehicle"),
    ({"train.deep_sgd.net": "deeep"}, "train.deep_sgd.net: 'deeep' is none of shallow, deep"),
    ({"one_vs_rest.net": "deeep"}, "one_vs_rest.net: 'deeep' is none of shallow, deep"),
    ({"repeat.scratch_deep.net": "deeep"}, "repeat.scratch_deep.net: 'deeep' is none of shallow, deep"),
    ({f"{CURVE}.labels": "no"}, f"{CURVE}.labels: 'no' is none of cifar10_shuffled"),
    ({"finetune.freeze_both.net": "deeep"}, "finetune.freeze_both.net: 'deeep' is none of shallow, deep"),
    ({"train.deep_sgd.labels": "vehicles"},
     "train.deep_sgd.images: 'cifar10' is not what the labels are of: relabel.vehicles has 'cifar10_augmented'"),
    ({"nets.deep": "C32 flatten F9 sigmoid"},
     "train.deep_sgd.net: 'C32 flatten F9 sigmoid' ends in one sigmoid unit, which tells two classes apart; there are 10"),
    ({"nets.deep": "C32 flatten F9 sigmoid"}, "train.vehicles.net: 'C32 flatten F9 sigmoid' ends in one sigmoid unit"),
    ({"tune.head_grid.net": "flatten F{units} D{dropout} sigmoid"},
     "tune.head_grid.net: 'flatten F1 D0.3 sigmoid' ends in one sigmoid unit, which tells two classes apart; there are 10"),
    ({"nets.deep": "C32 P64 flatten F9"}, "train.deep_sgd.net: 'deep' does not fit images of 32 pixels: nothing is left of the"),
    ({"nets.deep": "C32 P64 flatten F9"}, "finetune.freeze_both.net: 'deep' does not fit images of 28 pixels: nothing is left"),
    ({"train.fast94.augmentation.crop_padding": 32},
     "train.fast94.augmentation.crop_padding: 32 is not below the side of the images, 32"),
    ({"relabel.cifar10_shuffled.test_images": None, "train.deep_sgd.validation": 10000},
     "train.deep_sgd.validation: 10000 leaves no test images of 10000"),
    ({"train.lenet.holdout": 0.99999}, "train.lenet.holdout: 0.99999 leaves no training images of 7500"),
    ({"tune.head_grid.holdout": 0.0001}, "tune.head_grid.holdout: 0.0001 leaves no images of "),
    ({"train.deep_sgd.validation": 5000}, "train.deep_sgd.validation: 5000 leaves no test images of "),
    ({f"{CURVE}.counts": [70000, 5]}, f"{CURVE}.counts: 70000 is more than there are, 7500"),
    ({"protocols.T2.counts": [7501, 5]}, "learning_curve.dense.counts: 7501 is more than there are, 7500"),
    ({"one_vs_rest.against": "no"}, "one_vs_rest.against: 'no' is none of shallow_adadelta"),
    ({"one_vs_rest.against": "animal_vehicle"}, "one_vs_rest.against: 'animal_vehicle' has labels 'animal_vehicle', not the"),
    ({"one_vs_rest.validation": 100}, "one_vs_rest.against: 'multiclass' has validation 0, not the same"),
    ({"evaluate.test_time_augmentation": {"multiclass": "mirror"}},
     "one_vs_rest.against: 'multiclass' is scored by several views (evaluate.test_time_augmentation)"),
    ({"finetune.freeze_both.start": "no"}, "finetune.freeze_both.start: 'no' is none of shallow_adadelta"),
    ({"finetune.heads": block("finetune.freeze_none") | {"start": "head_best", "net": "head_512",
                         "images": "embeddings/first_2000", "labels": "first_2000_embedded"}},
     "finetune.heads.start: head_best takes features of an embedding, not images"),
    ({"finetune.freeze_both.net": "shallow"}, "finetune.freeze_both.net: 'shallow' is not the net of vehicles, 'deep'"),
    ({"finetune.freeze_both.labels": "cifar10_shuffled"},
     "finetune.freeze_both.start: vehicles was trained on images of 28 pixels, cifar10_shuffled has 32"),
    ({"finetune.freeze_both.pixels": "whitened"}, "finetune.freeze_both.pixels: 'whitened' is not that of vehicles, 'unit'"),
    ({"finetune.freeze_both.side": 64}, "finetune.freeze_both.side: 64 is not that of vehicles, None"),
    ({"finetune.freeze_both.freeze": ["conv_9"]}, "finetune.freeze_both.freeze: 'conv_9' is none of conv_0"),
    ({"finetune.freeze_both.freeze": ["whiten"]}, "finetune.freeze_both.freeze: 'whiten' is none of conv_0"),
    ({"tune.head_grid.labels": "no"}, "tune.head_grid.labels: 'no' is none of cifar10_shuffled"),
    ({"tune.head_grid.images": "cifar10"}, "tune.head_grid.images: 'cifar10' is not what the labels are of: relabel.first_2000"),
    ({"tune.head_grid.net": "flatten F{unit}"}, "tune.head_grid.net: 'flatten F{unit}' with {units} and {dropout} in it cannot"),
    ({"embed.mnist.images": "no"}, "embed.mnist.images: 'no' is none of cifar10, mnist"),
    ({"embed.first_2000.model": "backbones/lite9"}, "embed.first_2000.model: 'backbones/lite9' is none of shallow_adadelta"),
    ({"embed.mnist.test_images": 10001}, "embed.mnist.test_images: 10001 is more than there are, 10000"),
    ({"embed.mnist.layer": "dense_7"}, "embed.mnist.layer: 'dense_7' is none of flatten_0, dense_0"),
    ({"embed.mnist.layer": "conv_0"}, "embed.mnist.layer: 'conv_0' is none of flatten_0, dense_0"),
    ({"embed.mnist.layer": None}, "embed.mnist.layer: '' is none of flatten_0, dense_0"),
    ({"tsne.all_digits.features": "no"}, "tsne.all_digits.features: 'no' is none of mnist, first_2000"),
    ({"tsne.digits_3_5_8.classes": [3, 5, 11]}, "tsne.digits_3_5_8.classes: class 11 does not exist"),
    ({"tsne.all_digits.perplexity": 1500.0}, "tsne.all_digits.perplexity: 1500.0 is not below images, 1500"),
    ({"classify.probe.classifiers": ["svm"]}, "classify.probe.classifiers: 'svm' is none of nearest_centroid"),
    ({"classify.raw.features": "no"}, "classify.raw.features: 'no' is none of cifar10, mnist"),
    ({"classify.raw.train_images": 60001}, "classify.raw.train_images: 60001 is more than there are, 60000"),
    ({"predict.photographs.model": "multiclass"}, "predict.photographs.model: 'multiclass' is none of backbones/lite0"),
    ({"predict.photographs.pictures": ["cat.jpg"]},
     "predict.photographs.pictures: 'cat.jpg' is neither skimage:<name>, sklearn:<name> nor cifar10:<split>:<row>; files are"),
    ({"style_transfer.pagoda.backbone": "vgg"}, "style_transfer.pagoda.backbone: 'vgg' is none of lite0, hed"),
    ({"style_transfer.pagoda.style": "a.jpg"}, "style_transfer.pagoda.style: 'a.jpg' is neither skimage:<name> nor sklearn:"),
    ({"style_transfer.pagoda.content": "cifar10:train:1"},
     "style_transfer.pagoda.content: 'cifar10:train:1' is neither skimage:"),
    ({"evaluate.also_train": ["no"]}, "evaluate.also_train: 'no' is none of shallow_adadelta"),
    ({"evaluate.test_time_augmentation": {"head_adam": "mirror"}}, "evaluate.test_time_augmentation: 'head_adam' is none of"),
    ({"report.gallery": {"vehicle": 3}}, "report.gallery.vehicle: 'vehicle' is none of shallow_adadelta"),
    ({"train.freeze_both": block("train.deep_sgd")}, "freeze_both: is the name of two experiments in the metrics table"),
    ({"train.scratch_deep": block("train.deep_sgd")}, "scratch_deep: is the name of two experiments in the metrics table"),
    ({"train.learning_curve_lenet": block("train.lenet")}, "learning_curve_lenet: is the name of two experiments"),
    ({"train.probe_logistic_regression": block("train.lenet")}, "probe_logistic_regression: is the name of two experiments"),
    ({"train.one_vs_rest": block("train.lenet")}, "one_vs_rest: is the name of two experiments in the metrics table"),
])  # fmt: skip
def test_a_block_that_does_not_fit_another_is_told(params_with, changes, message):
    with pytest.raises(ParamsError) as error:
        params_with(changes)
    assert [line for line in str(error.value).splitlines() if line.startswith(message)]


FLOWERS = "datasets.flowers17"


@pytest.mark.parametrize(("changes", "shared", "message"), [
    ({f"{FLOWERS}.recipe": "no"}, {}, f"{FLOWERS}.recipe: 'no' is none of augmented, copies, frozen, two_classes"),
    ({f"{FLOWERS}.recipe": "two_classes"}, {},
     f"{FLOWERS}.recipe: 'GAP F1024 sigmoid' ends in one sigmoid unit, which tells two classes apart; there are 17"),
    ({f"{FLOWERS}.backbone": "no"}, {}, f"{FLOWERS}.backbone: 'no' is none of lite0, hed"),
    ({f"{FLOWERS}.together": {"rose": [[1, 2]]}}, {}, f"{FLOWERS}.together.rose: is no class of this data set"),
    ({"recipes.augmented.head.augmentation.crop_padding": 128}, {},
     f"recipes.augmented.head.augmentation.crop_padding: 128 is not below {FLOWERS}.side, 128"),
    ({"recipes.augmented.tune.augmentation.crop_padding": 128}, {},
     f"recipes.augmented.tune.augmentation.crop_padding: 128 is not below {FLOWERS}.side, 128"),
    ({"recipes.frozen.head.net": "GAP K5"}, {}, "recipes.frozen.head.net: 'K5' is none of C<filters>[k<kernel>][s]"),
    ({"report.gallery": {"flowers17": 16}}, {}, "report.gallery.flowers17: 'flowers17' is none of flowers17_head"),
    ({}, {"classifiers": {"centroid": {"kind": "nearest_centroid"}}},
     "classifiers.logistic_regression: is missing; it is the linear probe of every data set"),
    ({"transfer": {"own": {"images": "no", "start": "none", "optimizer": {"name": "adam", "learning_rate": 0.1}, "batch": 8,
                           "epochs": 1}}}, {}, "transfer.own.images: 'no' is none of flowers17, flowers17_copies, cats_vs_dogs"),
    ({"transfer": {"own": {"images": "no", "start": "none", "optimizer": {"name": "adam", "learning_rate": 0.1}, "batch": 8,
                           "epochs": 1}}}, {}, "transfer.own.start: 'none' is none of own, flowers17_head, flowers17_tuned"),
    ({"download": {"flowers17": block("download.mnist")}}, {}, f"{FLOWERS}: download or augment has a data set of that name"),
])  # fmt: skip
def test_a_block_of_photographs_that_does_not_fit_another_is_told(photos_with, changes, shared, message):
    with pytest.raises(ParamsError) as error:
        photos_with(changes, shared)
    assert [line for line in str(error.value).splitlines() if line.startswith(message)]


@pytest.mark.parametrize("changes", [
    {"train.head_adam.images": "embeddings/mnist", "train.head_adam.labels": "mnist_embedded",
     "train.head_adam.net": "head_pooled", "relabel.mnist_embedded": {"images": "embeddings/mnist"}},
    {"finetune.freeze_none.freeze": ["dense_0", "conv_4"]},
    {"train.fast94.augmentation.crop_padding": 31},
    {"describe.first_2000.example": 1999},
    {"tsne.all_digits.perplexity": 99.0},
    {"nets.binary": "C32 flatten F9 sigmoid", "train.animal_vehicle.net": "binary", "one_vs_rest.net": "binary",
     "repeat.scratch_deep.net": "binary"},
])  # fmt: skip
def test_what_just_fits_is_taken(params_with, changes):
    params_with(changes)
