from pathlib import Path

import pytest
import yaml

from relearn import checks
from relearn.params import whole
from relearn.params.base import ParamsError
from tests.conftest import ROOT


def test_book_scale_is_the_chapters_protocol(params_with):
    book = params_with({"scale": "book"})
    for key in ("shallow_adadelta", "deep_adadelta", "shallow_sgd", "deep_sgd"):
        assert (book.train[key].epochs, book.train[key].batch, book.train[key].validation) == (60, 64, 1000)
    for fit in (book.train["multiclass"], book.train["animal_vehicle"], book.one_vs_rest):
        assert (fit.epochs, fit.batch, fit.validation, fit.net) == (12, 128, 0, "shallow")
    for name in ("cifar10_shuffled", "animal_vehicle"):
        assert (book.relabel[name].train_images, book.relabel[name].test_images) == (50000, 10000)
    assert book.augment["cifar10_augmented"].source_images * (1 + book.augment["cifar10_augmented"].copies) == 500000
    assert book.relabel["vehicles"].train_images == 200000
    assert (len(book.repeat), len(book.finetune)) == (2, 10)
    for tuned in [*book.repeat.values(), *book.finetune.values()]:
        assert (tuned.repeats, tuned.epochs, tuned.batch, tuned.validation) == (6, 36, 64, 100)
        assert (tuned.optimizer.name, tuned.optimizer.learning_rate) == ("adadelta", 1.0)
    adadelta = [fit.optimizer for fit in book.train.values() if fit.optimizer.name == "adadelta"]
    assert {optimizer.learning_rate for optimizer in adadelta} == {1.0}


def test_book_scale_is_the_other_chapters_protocol(params_with):
    book = params_with({"scale": "book"})
    expected = {
        "lenet": (20, 128, "adam"), "cifar_simple": (20, 128, "rmsprop"), "cifar_deeper": (50, 64, "rmsprop"),
        "cifar_deeper_augmented": (50, 64, "rmsprop"), "scratch": (10, 10, "rmsprop"), "head_rmsprop": (10, 10, "rmsprop"),
        "head_adam": (20, 10, "adam"), "head_best": (5, 30, "adam"), "head_short": (10, 10, "adam"),
    }  # fmt: skip
    for key, protocol in expected.items():
        fit = book.train[key]
        assert (fit.epochs, fit.batch, fit.optimizer.name) == protocol
        assert fit.holdout == 0.2
        assert fit.optimizer.learning_rate == 0.001
    for name, count in (("mnist_in_order", 60000), ("cifar10_in_order", 50000), ("first_2000", 2000)):
        assert book.relabel[name].train_images == count
        assert not book.relabel[name].shuffle
    assert (book.train["scratch"].side, book.embed["first_2000"].side) == (224, 224)
    for curve in book.learning_curve.values():
        assert (curve.counts, curve.repeats) == ([5900, 3000, 1800, 600, 300], 10)
        assert (curve.epochs, curve.batch, curve.optimizer.name) == (20, 128, "adam")
    assert book.tune["head_grid"].grid.model_dump() == {"units": [256, 512], "dropout": [0.1, 0.3], "batch": [10, 30]}
    assert book.tune["head_grid"].epochs == 5


def test_book_scale_of_the_photographs_is_the_chapters_protocol(photos_with):
    book = photos_with({}, {"scale": "book"})
    flowers, dogs = book.datasets["flowers17"], book.datasets["cats_vs_dogs"]
    assert (flowers.side, flowers.fit, flowers.test_fraction, flowers.limit) == (224, "crop", 0.25, 80)
    assert sum(map(len, flowers.together.values())) == 69
    assert (dogs.side, dogs.fit) == (299, "stretch")
    phases = {key: book.transfer[key] for key in book.transfer}
    assert {key: (phase.epochs, phase.batch, phase.optimizer.name, phase.optimizer.learning_rate)
            for key, phase in phases.items()} == {
        "flowers17_head": (25, 32, "rmsprop", 0.001), "flowers17_tuned": (100, 32, "sgd", 0.001),
        "flowers17_copies_head": (25, 32, "rmsprop", 0.001), "flowers17_copies_tuned": (100, 32, "sgd", 0.001),
        "cats_vs_dogs_head": (10, 30, "rmsprop", 0.001), "cats_vs_dogs_tuned": (10, 30, "sgd", 0.0001),
    }  # fmt: skip
    assert (phases["flowers17_tuned"].start, phases["flowers17_tuned"].backbone) == ("flowers17_head", None)
    assert (phases["flowers17_head"].start, phases["flowers17_head"].backbone) == (None, "lite0")
    changes = phases["flowers17_head"].augmentation
    assert changes is not None
    assert changes.model_dump() == {
        "rotation_degrees": 30.0,
        "shift": 0.1,
        "shear_degrees": 0.2,
        "zoom": 0.2,
        "mirror": True,
        "mirror_in_turn": False,
        "crop_padding": 0,
    }


def test_an_unknown_experiment_is_told_with_the_known_ones(params_with):
    with pytest.raises(ParamsError, match=r"train\.nope: no such experiment; params.yaml has shallow_adadelta, deep_"):
        params_with({}).experiment("train", "nope")


@pytest.mark.parametrize("file", ["params.yaml", "photos/params.yaml"])
def test_no_key_is_one_that_dvcs_run_cache_leaves_out(file):
    def keys(node):
        if isinstance(node, dict):
            yield from node
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                yield from keys(item)

    assert not {"size", "nfiles"} & set(keys(yaml.safe_load((ROOT / file).read_text())))


@pytest.mark.parametrize("key", whole.SHARED)
def test_photographs_take_what_both_pipelines_share_from_the_upper_file(photos_with, params_with, key):
    shared = {"scale": "book", "seed": 5, "compute.precision": "float32", "backbones.third": {"architecture": "resnet50"},
              "imagenet_classes.pip": "timm==2", "classifiers.logistic_regression.C": 7.0}  # fmt: skip
    assert getattr(photos_with({}, shared), key) == getattr(params_with(shared), key) != getattr(params_with({}), key)


@pytest.mark.parametrize("folder", [".", "photos"])
def test_they_do_so_from_wherever_the_file_is_read(photos_with, tmp_path, monkeypatch, folder):
    photos_with({}, {"seed": 5})
    monkeypatch.chdir(tmp_path / folder)
    path = {".": Path("photos/params.yaml"), "photos": Path("params.yaml")}[folder]
    assert whole.read(path)["seed"] == 5


def test_a_value_in_both_files_is_an_error_that_names_both(photos_with, tmp_path, monkeypatch):
    with pytest.raises(ParamsError) as error:
        photos_with({"seed": 14, "classifiers": {}})
    both = f"stands in {tmp_path}/photos/../params.yaml, for both pipelines; take it out of {tmp_path}/photos/params.yaml"
    assert str(error.value).splitlines() == [f"classifiers: {both}", f"seed: {both}"]
    monkeypatch.chdir(tmp_path / "photos")
    with pytest.raises(ParamsError, match=r"^classifiers: stands in \.\./params\.yaml, .*; take it out of params\.yaml\n"):
        checks.load()


def test_nothing_else_is_taken_from_the_upper_file(photos_with):
    photos = photos_with({})
    assert (photos.train, photos.download, photos.nets, photos.report.gallery.keys()) == (
        {}, {}, {}, {"flowers17_tuned", "cats_vs_dogs_tuned"},
    )  # fmt: skip


def test_each_data_set_of_photographs_gets_its_experiments_from_its_recipe(photos_with):
    photos = photos_with({})
    assert list(photos.transfer) == [f"{key}_{phase}" for key in photos.datasets for phase in ("head", "tuned")]
    assert {key: embed.model for key, embed in photos.embed.items()} == dict.fromkeys(photos.datasets, "backbones/lite0")
    assert {spec.features for spec in photos.classify.values()} == {f"embeddings/{key}" for key in photos.datasets}
    assert photos.transfer["cats_vs_dogs_head"].net == "GAP F1024 sigmoid"
    assert photos.transfer["cats_vs_dogs_tuned"].train_from == "block_6a"


def test_a_single_block_that_is_not_there_is_told(params_with):
    with pytest.raises(ParamsError, match=r"^one_vs_rest: is missing$"):
        params_with({"one_vs_rest": None}).single("one_vs_rest")
