import numpy as np

from relearn.data import records


def test_json_has_null_for_nan_and_no_noise_digits(tmp_path):
    records.write_json(tmp_path / "a.json", {"accuracy": 0.1 + 0.2, "p": 1.23456789e-9, "none": float("nan"), "n": 3})
    assert (tmp_path / "a.json").read_text() == '{\n  "accuracy": 0.3,\n  "p": 1.23457e-09,\n  "none": null,\n  "n": 3\n}\n'


def test_the_true_and_the_predicted_class_of_each_image_are_written_by_name(tmp_path):
    records.write_predicted(tmp_path / "plots/a.csv", np.array([0, 1, 1]), np.array([1, 1, 0]), ["cat", "dog"])
    assert (tmp_path / "plots/a.csv").read_text() == "actual,predicted\ncat,dog\ndog,dog\ndog,cat\n"
