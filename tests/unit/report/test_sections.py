from relearn.data import records
from relearn.report import sections, sections_transfer
from tests.unit.report.test_figures import HISTORY

SHALLOW = {
    "images": "cifar10", "labels": "cifar10_shuffled", "net": "shallow", "batch": 8, "epochs": 1,
    "optimizer": {"name": "sgd", "learning_rate": 0.1},
}  # fmt: skip


def test_classifiers_of_one_kind_of_digits_only_are_drawn_beside_the_others(params_with, tmp_path, monkeypatch):
    settings = params_with({"classify.embedded.classifiers": ["three_nearest"], "classify.raw.classifiers": ["linear_svm"]})
    monkeypatch.setattr(sections, "METRICS", tmp_path)
    records.write_json(tmp_path / "classify/embedded.json", {"accuracy_three_nearest": 0.75})
    records.write_json(tmp_path / "classify/raw.json", {"accuracy_linear_svm": 0.5})
    (svg,) = sections.classifiers(settings, {}).svgs
    assert ">three nearest<" in svg
    assert ">linear svm<" in svg


def test_figures_14_1_and_14_2_show_four_networks(params_with, tmp_path, monkeypatch):
    monkeypatch.setattr(sections, "PLOTS", tmp_path)
    (tmp_path / "history").mkdir()
    for number, key in enumerate(sections.FIGURE_14):
        history = HISTORY.assign(loss=HISTORY["loss"] + number, val_error=0.1 * number)
        history.to_csv(tmp_path / f"history/{key}.csv", index=False)
    loss, error = sections.curves(params_with({})).svgs
    for key in ("shallow_adadelta", "deep_adadelta", "shallow_sgd", "deep_sgd"):
        assert f">{key}<" in loss
        assert f">{key}<" in error
    assert "training loss" in loss
    assert "validation error" in error


def test_what_trainings_cost_is_told_of_any_number_of_those_that_tell_all_classes_apart(params_with, tmp_path, monkeypatch):
    several = {f"train.more_{number}": SHALLOW for number in range(3)}
    settings = params_with(several | {"evaluate.test_time_augmentation": {"fast94": "mirror"}})
    monkeypatch.chdir(tmp_path)
    for place, key in enumerate(settings.train):
        trained = {"images": 100, "epochs": 2, "petaflop": 0.25 * (len(settings.train) - place)}
        records.write_json(tmp_path / f"metrics/train/{key}.json", trained)
        scored = {"accuracy": 0.5} | ({"accuracy_of_one_view": 0.25} if key == "fast94" else {})
        records.write_json(tmp_path / f"metrics/evaluate/{key}.json", scored)
    section = sections.costs(sections.trainings_by_cost(settings))
    shown = {row["experiment"]: row for row in section.table}
    assert len(shown) > 10
    assert list(shown) == [key for key in reversed(settings.train) if key in shown]  # the cheapest first
    assert "animal_vehicle" not in shown
    assert "vehicles" not in shown
    assert "head_adam" not in shown
    assert shown["fast94"]["accuracy"] == "0.2500"
    assert shown["more_2"]["accuracy per 10^15"] == "2.0"  # the cheapest, of .25
    assert all(f">{name}<" in section.svgs[0] for name in shown)


def test_the_page_says_what_became_of_a_validation_split():
    told = sections_transfer.of_validation
    assert told({"train_images": 9, "test_images": 3}) == ""
    assert "curves show the validation split" in told({"train_images": 9, "test_images": 3, "validation_images": 2})
    assert "no test split: the validation split was scored" in told({"test_images": 3, "scored_validation_images": 3})
