from pathlib import Path

import pytest
import yaml

from relearn import checks
from relearn.params.base import SCALES, ParamsError, at_scale
from relearn.process import command
from tests.conftest import ROOT


@pytest.mark.parametrize("scale", SCALES)
def test_the_projects_parameters_are_valid_at_every_scale(params_with, scale):
    assert params_with({"scale": scale}).scale == scale


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
    for tuned in book.finetune.values():
        assert (tuned.repeats, tuned.epochs, tuned.batch, tuned.validation) == (6, 36, 64, 100)
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
    assert book.learning_curve["lenet"].counts == [5900, 3000, 1800, 600, 300]
    assert book.tune["head_grid"].grid.model_dump() == {"units": [256, 512], "dropout": [0.1, 0.3], "batch": [10, 30]}
    assert book.tune["head_grid"].epochs == 5


def test_book_scale_of_the_photographs_is_the_chapters_protocol(tmp_path: Path):
    raw = yaml.safe_load((ROOT / "photos/params.yaml").read_text()) | {"scale": "book"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(raw))
    book = checks.load(tmp_path / "params.yaml")
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
    assert phases["flowers17_tuned"].start == "models/flowers17_head.keras"
    assert phases["flowers17_head"].start == "models/backbones/lite0.keras"
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "huge"}, "scale: 'huge' is none of smoke, quick, book"),
        ({"sede": 1}, "sede: unknown key; allowed here: scale, seed, compute"),
        ({"compute.backend": "dask"}, "compute: backend dask needs scheduler: tcp://HOST:8786"),
        (
            {"compute.scheduler": "localhost"},
            "compute.scheduler: 'localhost' is not allowed: string should match pattern '^(tcp|tls):",
        ),
        (
            {"train.deep_sgd.optimizer": {"name": "adadeltaa", "learning_rate": 1.0}},
            "train.deep_sgd.optimizer.name: 'adadeltaa' is none of adadelta, adam, rmsprop, sgd",
        ),
        ({"train.deep_sgd.momentun": 0.9}, "train.deep_sgd.momentun: unknown key; allowed here: optimizer, batch, epochs"),
        ({"train.deep_sgd.batch": 0}, "train.deep_sgd.batch: 0 is not allowed: input should be greater than or equal to 1"),
        ({"train.deep_sgd.batch": "64"}, "train.deep_sgd.batch: '64' is not allowed: input should be a valid integer"),
        ({"train.deep_sgd.epochs": {"smoke": 1, "quick": 2}}, "train.deep_sgd.epochs: has smoke, quick; needs exactly"),
        ({"train.deep_sgd.net": "deeep"}, "train.deep_sgd.net: 'deeep' is none of shallow, deep"),
        ({"train.deep_sgd.labels": "vehicles"}, "train.deep_sgd.images: 'cifar10' is not what the labels are of"),
        ({"train.deep_sgd.validation": 5000}, "train.deep_sgd.validation: 5000 leaves no test images of 5000"),
        (
            {"train.deep_sgd.optimizer": {"name": "adam", "learning_rate": 0.1, "momentum": 0.9}},
            "train.deep_sgd.optimizer: adam has no momentum",
        ),
        ({"train.DeepSgd": {}}, "train.DeepSgd: 'DeepSgd' is not allowed: string should match pattern"),
        ({"nets.deep": "C32 K5 flatten"}, "nets.deep: 'K5' is none of C<filters>[k<kernel>][s], C<filters>i, BN,"),
        ({"nets.deep": "C32 P64 flatten F9"}, "net: 'deep' does not fit images of"),
        ({"relabel.vehicles.keep": [0, 1, 8, 10]}, "relabel.vehicles.keep: class 10 does not exist; classes are 0 to 9"),
        ({"relabel.animal_vehicle.positives": [-1]}, "relabel.animal_vehicle.positives: class -1 does not exist"),
        ({"relabel.animal_vehicle.positives": [2, 2]}, "relabel.animal_vehicle: positives [2, 2] names a class twice"),
        ({"relabel.animal_vehicle.keep": [2, 3]}, "relabel.animal_vehicle: keep and positives cannot both be given"),
        ({"relabel.cat_dog_small.crop": 40}, "relabel.cat_dog_small.crop: 40 is larger than the images, 32"),
        ({"augment.cifar10_augmented.crop": 33}, "augment.cifar10_augmented.crop: 33 is larger than the images, 32"),
        ({"augment.cifar10_augmented.max_offset": 5}, "max_offset: 5 leaves the image; 0 to 4 is possible"),
        ({"augment.cifar10_augmented.source_images": 50001}, "source_images: 50001 is more than there are, 50000"),
        ({"tsne.digits_3_5_8.classes": [3, 5, 11]}, "tsne.digits_3_5_8.classes: class 11 does not exist"),
        ({"embed.mnist.layer": "dense_7"}, "embed.mnist.layer: 'dense_7' is none of flatten_0, dense_0"),
        ({"finetune.freeze_both.freeze": ["conv_9"]}, "finetune.freeze_both.freeze: 'conv_9' is none of conv_0"),
        ({"finetune.freeze_both.start": "models/no.keras"}, "finetune.freeze_both.start: 'models/no.keras' is none of"),
        ({"finetune.freeze_both.head": None}, "finetune.freeze_both: head is missing: replaced or stacked"),
        ({"finetune.freeze_both.labels": "cifar10_shuffled"}, "was trained on images of 28 pixels, cifar10_shuffled has 32"),
        (
            {"classifiers.linear_svm": {"kind": "linear_svm", "trees": 3}},
            "classifiers.linear_svm: linear_svm takes C; given: trees",
        ),
        ({"one_vs_rest.against": "animal_vehicle"}, "one_vs_rest.against: 'animal_vehicle' has labels 'animal_vehicle'"),
        ({"compute.precision": "float16"}, "compute.precision: 'float16' is none of auto, float32, bfloat16"),
        ({"compute.threads": 0}, "compute.threads: 0 is neither auto nor a whole number from 1"),
        ({"compute.jobs": "all"}, "compute.jobs: 'all' is neither auto nor a whole number from 1"),
        ({"one_vs_rest.validation": 100}, "one_vs_rest.against: 'multiclass' has validation 0, not the same"),
        ({"embed.mnist.layer": "conv_0"}, "embed.mnist.layer: 'conv_0' is none of flatten_0, dense_0"),
        ({"embed.mnist.test_images": 10001}, "embed.mnist.test_images: 10001 is more than there are, 10000"),
        ({"report.gallery": {"vehicle": 3}}, "report.gallery.vehicle: 'vehicle' is none of shallow_adadelta"),
        ({"augment.cifar10_augmented.copies": 300}, "augment.cifar10_augmented.copies: 300 is not allowed"),
        (
            {"train.deep_sgd.epochs": {"smoke": 1, "quick": 2, "book": 0}},
            "at scale book: train.deep_sgd.epochs: 0 is not allowed",
        ),
        (
            {"train.lenet.validation": 100},
            "train.lenet: holdout (of the training images) and validation (of the test images) cannot both be given",
        ),
        ({"train.fast94.side": 64}, "train.fast94: pixels: whitened takes images as they are, without side"),
        (
            {"train.fast94.augmentation.crop_padding": 32},
            "train.fast94.augmentation.crop_padding: 32 is not below the side of the",
        ),
        ({"train.fast94.augmentation.mirror": True}, "mirror and mirror_in_turn cannot both be given"),
        ({"train.fast94.optimizer.momentum": 0.0}, "nesterov needs momentum"),
        ({"train.fast94.optimizer.name": "adam", "train.fast94.optimizer.momentum": 0.0}, "are for sgd, not for adam"),
        ({"train.fast94.optimizer.schedule.peak": 1.0}, "train.fast94.optimizer.schedule.peak: 1.0 is not allowed"),
        ({"evaluate.test_time_augmentation": {"head_adam": "mirror"}}, "evaluate.test_time_augmentation: 'head_adam' is none of"),
        ({"evaluate.test_time_augmentation": {"multiclass": "mirror"}}, "one_vs_rest.against: 'multiclass' is scored by several"),
        ({"finetune.freeze_both.pixels": "whitened"}, "finetune.freeze_both.pixels: 'whitened' is not that of vehicles, 'unit'"),
        ({"train.head_rmsprop.pixels": "caffe"}, "train.head_rmsprop: side, pixels and augmentation are for images, not for"),
        ({"train.cifar_deeper_augmented.augmentation.shift": 2.0}, "augmentation.shift: 2.0 is not allowed"),
        ({"embed.first_2000.model": "backbones/lite9"}, "embed.first_2000.model: 'backbones/lite9' is none of"),
        ({"relabel.first_2000_embedded.images": "embeddings/no"}, "relabel.first_2000_embedded.images: 'embeddings/no' is none"),
        ({"relabel.first_2000_embedded.crop": 3}, "relabel.first_2000_embedded.crop: an embedding cannot be cropped"),
        ({"tune.head_grid.net": "flatten F{unit}"}, "tune.head_grid.net: 'flatten F{unit}' with {units} and {dropout}"),
        ({"learning_curve.lenet.counts": [70000, 5]}, "learning_curve.lenet.counts: 70000 is more than there are, 7500"),
        ({"classify.probe.classifiers": ["svm"]}, "classify.probe.classifiers: 'svm' is none of nearest_centroid"),
        ({"style_transfer.pagoda.backbone": "vgg"}, "style_transfer.pagoda.backbone: 'vgg' is none of lite0, hed"),
        ({"style_transfer.pagoda.learning_rate": 1.0}, "style_transfer.pagoda: learning_rate goes with optimizer adam"),
        ({"evaluate.also_train": ["no"]}, "evaluate.also_train: 'no' is none of shallow_adadelta"),
        ({"describe.first_2000.example": 2000}, "describe.first_2000.example: is more than train_images, 2000"),
        ({"download.mnist.sources.0.url": None}, "download.mnist.sources.0: exactly one of url, npm, pip is needed"),
    ],
)
def test_a_mistake_is_told_by_key_value_and_what_is_allowed(params_with, changes, message):
    with pytest.raises(ParamsError) as error:
        params_with(changes)
    assert message in str(error.value)


def test_an_unknown_experiment_is_told_with_the_known_ones(params_with):
    with pytest.raises(ParamsError, match=r"train\.nope: no such experiment; params.yaml has shallow_adadelta, deep_"):
        params_with({}).experiment("train", "nope")


def test_broken_yaml_is_an_error_of_the_parameters(tmp_path: Path):
    (tmp_path / "params.yaml").write_text("scale: [quick")
    with pytest.raises(ParamsError, match=r"params.yaml"):
        checks.load(tmp_path / "params.yaml")


def test_no_key_is_one_that_dvcs_run_cache_leaves_out():
    def keys(node):
        if isinstance(node, dict):
            yield from node
            node = list(node.values())
        if isinstance(node, list):
            for item in node:
                yield from keys(item)

    assert not {"size", "nfiles"} & set(keys(yaml.safe_load((ROOT / "params.yaml").read_text())))


def test_numbers_are_taken_at_the_scale_in_force():
    node = {"epochs": {"smoke": 1, "quick": 2, "book": 3}, "list": [{"n": {"smoke": 4, "quick": 5, "book": 6}}], "batch": 7}
    assert at_scale(node, "book") == {"epochs": 3, "list": [{"n": 6}], "batch": 7}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{id: K1, what: x, printed: 0.5}", r"rows\.0\.metric: is missing"),
    ],
)
def test_a_printed_row_without_its_metric_is_told(params_with, tmp_path: Path, row, message):
    (tmp_path / "printed.yaml").write_text(f"rows: [{row}]")
    with pytest.raises(ParamsError, match=message):
        printed.load(params_with({}), tmp_path / "printed.yaml")


@pytest.mark.parametrize("folder", ["", "photos"])
def test_every_printed_number_has_its_experiment(folder, monkeypatch):
    monkeypatch.chdir(ROOT / folder)
    rows = yaml.safe_load(Path("printed.yaml").read_text())["rows"]
    assert [row.metric for row in printed.load(checks.load())] == [row["metric"] for row in rows]


def test_a_printed_row_of_an_experiment_that_was_taken_out_is_left_out(params_with, tmp_path: Path):
    (tmp_path / "printed.yaml").write_text("rows: [{id: K1, what: x, printed: 0.5, metric: evaluate/no.accuracy}]")
    assert printed.load(params_with({}), tmp_path / "printed.yaml") == []


@pytest.mark.parametrize("text", ["1e-05", "1e-3", "0.00001"])
def test_a_rate_reads_as_dvc_writes_it(tmp_path: Path, text):
    whole = (ROOT / "params.yaml").read_text().replace("learning_rate: 0.01,", f"learning_rate: {text},")
    (tmp_path / "params.yaml").write_text(whole)
    assert checks.load(tmp_path / "params.yaml").train["deep_sgd"].optimizer.learning_rate == float(text)


def test_a_name_for_two_experiments_is_told(params_with):
    fit = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]["deep_sgd"]
    with pytest.raises(ParamsError, match="freeze_both: is the name of two experiments"):
        params_with({"train.freeze_both": fit})


def test_an_expected_error_of_a_stage_is_one_line_and_no_traceback(monkeypatch):
    def main() -> None:
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr("sys.argv", ["stage"])
    with pytest.raises(SystemExit, match=r"^error: the loss is nan$"):
        command.run(main)
