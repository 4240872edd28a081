"""The whole file: its values one by one, every scale, all mistakes at once, and the numbers of protocols."""

import subprocess
from pathlib import Path

import pytest

from relearn import checks
from relearn.params.base import SCALES, ParamsError
from tests.conftest import ROOT, changed


@pytest.mark.parametrize("scale", SCALES)
def test_the_projects_parameters_are_valid_at_every_scale(params_with, photos_with, scale):
    assert params_with({"scale": scale}).scale == scale
    assert photos_with({}, {"scale": scale}).scale == scale


@pytest.mark.parametrize(("changes", "message"), [
    ({"scale": "huge"}, "scale: 'huge' is none of smoke, quick, book"),
    ({"sede": 1}, "sede: unknown key; did you mean seed? allowed here: scale, seed, compute"),
    ({"compute.precision": "float16"}, "compute.precision: 'float16' is none of auto, float32, bfloat16"),
    ({"compute.threads": 0}, "compute.threads: 0 is neither auto nor a whole number from 1"),
    ({"compute.jobs": "all"}, "compute.jobs: 'all' is neither auto nor a whole number from 1"),
    ({"train.deep_sgd.optimizer": {"name": "adadeltaa", "learning_rate": 1.0}},
     "train.deep_sgd.optimizer.name: 'adadeltaa' is none of adadelta, adam, rmsprop, sgd"),
    ({"train.deep_sgd.momentun": 0.9}, "train.deep_sgd.momentun: unknown key; allowed here: optimizer, batch, epochs"),
    ({"train.fast94.optimizer.schedule.peek": 1},
     "train.fast94.optimizer.schedule.peek: unknown key; did you mean peak? allowed here: start, peak, end"),
    ({"download.mnist.sources.0.uri": "x"},
     "download.mnist.sources.0.uri: unknown key; did you mean url? allowed here: url, npm, pip, files, reader"),
    ({"train.deep_sgd.batch": 0}, "train.deep_sgd.batch: 0 is not allowed: input should be greater than or equal to 1"),
    ({"train.deep_sgd.batch": "64"}, "train.deep_sgd.batch: '64' is not allowed: input should be a valid integer"),
    ({"train.deep_sgd.batch": 64.0}, "train.deep_sgd.batch: 64.0 is not allowed: input should be a valid integer"),
    ({"train.deep_sgd.epochs": {"smoke": 1, "quick": 2}},
     "train.deep_sgd.epochs: has smoke, quick; needs exactly smoke, quick, book"),
    ({"train.deep_sgd.epochs": {"smoke": 1, "quick": 2, "book": 0}}, "at scale book: train.deep_sgd.epochs: 0 is not allowed"),
    ({"train.DeepSgd": {}}, "train.DeepSgd: 'DeepSgd' is no name: small letters, digits and _, a letter first"),
    ({"train.fast94.optimizer.schedule.peak": 1.0}, "train.fast94.optimizer.schedule.peak: 1.0 is not allowed"),
    ({"train.cifar_deeper_augmented.augmentation.shift": 2.0},
     "train.cifar_deeper_augmented.augmentation.shift: 2.0 is not allowed"),
    ({"augment.cifar10_augmented.copies": 300}, "augment.cifar10_augmented.copies: 300 is not allowed"),
    ({"finetune.freeze_both.head": None}, "finetune.freeze_both.head: None is none of replaced, stacked"),
    ({"finetune.freeze_both.start": "models/no.keras"}, "finetune.freeze_both.start: 'models/no.keras' is no name: small"),
    ({"repeat.scratch_deep.start": "vehicles"}, "repeat.scratch_deep.start: unknown key; allowed here: optimizer, batch"),
    ({"seed": 2**32}, "seed: 4294967296 is not allowed: input should be less than 4294967296"),
])  # fmt: skip
def test_a_mistake_is_told_by_key_value_and_what_is_allowed(params_with, changes, message):
    with pytest.raises(ParamsError) as error:
        params_with(changes)
    assert [line for line in str(error.value).splitlines() if line.startswith(message)]


def mistakes(load, *changes):
    with pytest.raises(ParamsError) as error:
        load(*changes)
    return [line.partition(": ")[0] for line in str(error.value).splitlines()]


def test_all_mistakes_in_values_are_told_at_once(params_with):
    changes = {"seed": -1, "compute.threads": 0, "train.deep_sgd.batch": 0, "tune.head_grid.grid.units": [0, 5],
               "embed.mnist.layr": "dense_0", "protocols.T2": {"batch": 3}, "style_transfer.pagoda.steps": "many"}  # fmt: skip
    told = mistakes(params_with, changes)
    assert sorted(told) == sorted([
        "seed", "compute.threads", "train.deep_sgd.batch", "tune.head_grid.grid.units.0", "embed.mnist.layr",
        "style_transfer.pagoda.steps",
        *(f"learning_curve.{key}.{name}" for key in ("lenet", "dense") for name in ("optimizer", "epochs", "repeats", "counts")),
    ])  # fmt: skip


def test_all_mistakes_in_blocks_and_between_them_are_told_at_once_a_line_each(params_with):
    changes = {
        "nets.lenet": "C32 K5", "augment.cifar10_augmented.max_offset": 5,
        "describe.first_2000.example": 2000,
        "relabel.animal_vehicle.positives": [2, 2], "train.deep_sgd.labels": "no", "one_vs_rest.against": "none",
        "finetune.freeze_both.freeze": ["conv_9"], "tune.head_grid.images": "cifar10", "embed.mnist.layer": "dense_7",
        "tsne.digits_3_5_8.classes": [11], "classifiers.linear_svm.trees": 3, "classify.probe.classifiers": ["svm"],
        "predict.photographs.model": "backbones/no", "style_transfer.pagoda.backbone": "no", "evaluate.also_train": ["no"],
        "report.gallery": {"no": 3}, "protocols.T2.counts": [7501, 5],
    }  # fmt: skip
    told = mistakes(params_with, changes)
    assert sorted(told) == sorted([
        "nets.lenet", "augment.cifar10_augmented.max_offset", "describe.first_2000.example", "relabel.animal_vehicle",
        "train.deep_sgd.labels", "one_vs_rest.against", "finetune.freeze_both.freeze", "tune.head_grid.images",
        "embed.mnist.layer", "tsne.digits_3_5_8.classes", "classifiers.linear_svm", "classify.probe.classifiers",
        "predict.photographs.model", "style_transfer.pagoda.backbone", "evaluate.also_train", "report.gallery.no",
        "learning_curve.lenet.counts", "learning_curve.dense.counts",
    ])  # fmt: skip


def test_all_mistakes_of_photographs_are_told_at_once_a_line_each(photos_with):
    changes = {
        "datasets.flowers17.classes": None, "datasets.cats_vs_dogs.backbone": "no", "datasets.flowers17_copies.recipe": "no",
        "recipes.frozen.tune.holdout": 0.1, "recipes.augmented.head.net": "GAP K5", "report.gallery": {"no": 3},
    }  # fmt: skip
    assert sorted(mistakes(photos_with, changes)) == sorted([
        "datasets.flowers17", "datasets.cats_vs_dogs.backbone", "datasets.flowers17_copies.recipe", "recipes.frozen",
        "recipes.augmented.head.net", "report.gallery.no",
    ])  # fmt: skip


def test_what_follows_from_a_mistake_is_not_told_besides(params_with, photos_with):
    assert mistakes(params_with, {"nets.deep": "C32 K5"}) == ["nets.deep"]
    assert mistakes(params_with, {"train.vehicles.net": "no"}) == ["train.vehicles.net"]
    assert mistakes(photos_with, {"datasets.flowers17.recipe": "no", "report.gallery": {}}) == ["datasets.flowers17.recipe"]
    assert mistakes(photos_with, {"recipes.frozen.head.copies": 2}) == ["recipes.frozen.head"]


@pytest.mark.parametrize(
    ("block", "number", "value"),
    [("repeat.scratch_shallow", "repeats", 6), ("finetune.freeze_none", "repeats", 6), ("learning_curve.dense", "repeats", 10)],
)
def test_a_blocks_own_number_comes_before_that_of_its_protocol(params_with, block, number, value):
    dictionary, key = block.split(".")
    book = {"scale": "book", "repeat.scratch_deep.batch": 3}
    assert getattr(params_with(book).experiment(dictionary, key), number) == value
    settings = params_with(book | {f"{block}.{number}": {"smoke": 1, "quick": 1, "book": 4}})
    assert getattr(settings.experiment(dictionary, key), number) == 4
    assert (settings.repeat["scratch_deep"].repeats, settings.repeat["scratch_deep"].batch) == (6, 3)
    assert settings.finetune["freeze_all"].batch == 64


def test_an_optimizer_of_a_blocks_own_is_not_mixed_with_that_of_its_protocol(params_with):
    settings = params_with({"protocols.K7.optimizer.name": "sgd", "protocols.K7.optimizer.momentum": 0.9,
                            "repeat.scratch_deep.optimizer": {"name": "sgd", "learning_rate": 0.5}})  # fmt: skip
    assert settings.repeat["scratch_deep"].optimizer.momentum == 0
    assert settings.repeat["scratch_shallow"].optimizer.momentum == 0.9


@pytest.mark.parametrize("block", ["repeat.scratch_deep", "finetune.freeze_both", "learning_curve.lenet"])
def test_an_unknown_protocol_is_one_line_without_the_keys_that_it_would_have_given(params_with, block):
    with pytest.raises(ParamsError) as error:
        params_with({f"{block}.protocol": "K8"})
    assert str(error.value) == f"{block}.protocol: 'K8' is none of T2, K7"
    told = mistakes(params_with, {f"{block}.protocol": "K8", f"{block}.layers": 3, "train.deep_sgd": {}, "seed": None})
    missing = ("optimizer", "batch", "epochs", "images", "labels", "net")
    assert sorted(told) == sorted([f"{block}.protocol", f"{block}.layers", "seed", *(f"train.deep_sgd.{key}" for key in missing)])


def test_a_block_without_a_protocol_is_told_what_it_lacks(params_with):
    raw = changed("params.yaml", {})["repeat"]["scratch_deep"]
    del raw["protocol"]
    told = mistakes(params_with, {"repeat.scratch_deep": raw})
    assert sorted(told) == [f"repeat.scratch_deep.{key}" for key in ("batch", "epochs", "optimizer", "protocol", "repeats")]


@pytest.mark.parametrize("name", [None, 7, ["K7"], {"K7": 1}])
def test_a_protocol_that_is_no_name_is_told(params_with, name):
    assert "finetune.freeze_both.protocol" in mistakes(params_with, {"finetune.freeze_both.protocol": name})


def test_a_protocol_that_is_no_block_is_told(params_with):
    assert "protocols.K7" in mistakes(params_with, {"protocols.K7": 36})


@pytest.mark.parametrize("protocols", [None, [], "K7", {}])
def test_protocols_that_are_no_blocks_are_told(params_with, protocols):
    with pytest.raises(ParamsError, match=r"(?m)^finetune\.freeze_both\.protocol: 'K7' is none of nothing: there is none$"):
        params_with({"protocols": protocols})


@pytest.mark.parametrize("text", ["1e-05", "1e-3", "0.00001"])
def test_a_rate_reads_as_dvc_writes_it(tmp_path: Path, text):
    whole = (ROOT / "params.yaml").read_text().replace("learning_rate: 0.01,", f"learning_rate: {text},")
    (tmp_path / "params.yaml").write_text(whole)
    assert checks.load(tmp_path / "params.yaml").train["deep_sgd"].optimizer.learning_rate == float(text)


@pytest.mark.parametrize(("old", "new", "told"), [
    ("  gallery: {", "  gallery:\n    {", True),  # what -S 'report.gallery={}' does
    (": 16}   # most", ": 15}   # most", False),
    ("", "", False),
])  # fmt: skip
@pytest.mark.parametrize("folder", ["", "photos"])
def test_an_experiment_whose_override_changed_nothing_is_warned_of(tmp_path, monkeypatch, capsys, folder, old, new, told):
    (tmp_path / "photos").mkdir()
    for name in ("params.yaml", "photos/params.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "core.hooksPath=/dev/null"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "params"]):
        subprocess.run([*git, *arguments], check=True)
    path = tmp_path / folder / "params.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    monkeypatch.chdir(tmp_path / folder)
    checks.load()
    assert capsys.readouterr().err == ""  # in no experiment
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "HEAD")
    checks.load()
    assert ("has the values of its commit" in capsys.readouterr().err) == told
