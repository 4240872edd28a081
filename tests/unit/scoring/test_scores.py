import math

import numpy as np
import pytest
from sklearn import metrics

from relearn.scoring import scores

BOOK = {"tpr": 0.9735, "tnr": 0.8800, "ppv": 0.9241, "npv": 0.9568, "fpr": 0.1200, "fnr": 0.0265, "f1": 0.9481,
        "mcc": 0.8671, "kappa": 0.8651, "informedness": 0.8535, "markedness": 0.8808, "auc_hard": 0.9267}  # fmt: skip


@pytest.fixture
def book_predictions():
    """Labels and guesses with the counts that the chapter printed: TP 5841, FP 480, TN 3520, FN 159."""
    labels = np.repeat([1, 0, 0, 1], [5841, 480, 3520, 159])
    guesses = np.repeat([1, 1, 0, 0], [5841, 480, 3520, 159])
    return labels, guesses


def test_the_books_counts_give_the_books_figures(book_predictions):
    labels, guesses = book_predictions
    scored = scores.binary(labels, guesses.astype(float), guesses)
    assert (scored["tp"], scored["fp"], scored["tn"], scored["fn"]) == (5841, 480, 3520, 159)
    assert {name: round(scored[name], 4) for name in BOOK} == pytest.approx(BOOK, abs=1e-4)


def test_formulas_agree_with_scikit_learn():
    random = np.random.default_rng(3)
    labels, guesses = random.integers(0, 2, (2, 500))
    scored = scores.binary(labels, random.random(500), guesses)
    assert scored["informedness"] == pytest.approx(metrics.balanced_accuracy_score(labels, guesses, adjusted=True))
    assert scored["informedness"] * scored["markedness"] == pytest.approx(metrics.matthews_corrcoef(labels, guesses) ** 2)
    assert scored["ppv"] == pytest.approx(metrics.precision_score(labels, guesses))
    assert scored["tpr"] == pytest.approx(metrics.recall_score(labels, guesses))


def test_a_network_that_never_names_a_class_gets_nan_and_not_a_number_made_up():
    scored = scores.binary(np.array([0, 1, 1]), np.array([0.6, 0.7, 0.8]), np.array([1, 1, 1]))
    assert math.isnan(scored["npv"])
    assert math.isnan(scored["markedness"])


def test_multiclass_scores_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.4, 0.1], [0.2, 0.2, 0.6]], np.float32)
    scored = scores.multiclass(np.array([0, 1, 1, 2]), probabilities, ["a", "b", "c"])
    assert scored["accuracy"] == 0.75
    assert (scored["accuracy_a"], scored["accuracy_b"], scored["accuracy_c"]) == (1.0, 0.5, 1.0)
    assert scored["loss"] == pytest.approx(-(math.log(0.7) + math.log(0.8) + math.log(0.4) + math.log(0.6)) / 4, abs=1e-6)


def test_confusion_rows_are_percent_of_the_true_class():
    counts = scores.confusion(np.array([0, 0, 0, 0, 1]), np.array([0, 0, 0, 1, 1]), 3)
    percent = scores.row_percent(counts)
    assert percent[:2].tolist() == [[75, 25, 0], [0, 100, 0]]
    assert np.isnan(percent[2]).all()


def test_mcnemar_by_hand():
    """Of 10 disagreements 9 go one way: two-sided binomial p = 2 (1 + 10) / 2**10."""
    first = np.array([True] * 9 + [False] + [True] * 5)
    second = np.array([False] * 9 + [True] + [True] * 5)
    scored = scores.mcnemar(first, second)
    assert (scored["only_first_right"], scored["only_second_right"]) == (9, 1)
    assert scored["mcnemar_p"] == pytest.approx(22 / 1024)
    assert scores.mcnemar(first, first)["mcnemar_p"] == 1.0


def test_roc_points_enclose_scikit_learns_area():
    random = np.random.default_rng(5)
    labels = random.integers(0, 2, 400)
    positive = np.clip(labels * 0.3 + random.random(400) * 0.7, 0, 1)
    points = scores.roc(labels, np.stack([1 - positive, positive], axis=1), 2)
    area = np.trapezoid([point["tpr"] for point in points], [point["fpr"] for point in points])
    assert area == pytest.approx(metrics.roc_auc_score(labels, positive))


def test_a_long_roc_curve_is_thinned_and_keeps_its_ends_and_area():
    random = np.random.default_rng(6)
    labels = random.integers(0, 2, 5000)
    positive = np.clip(labels * 0.3 + random.random(5000) * 0.7, 0, 1)
    points = scores.roc(labels, np.stack([1 - positive, positive], axis=1), 2)
    assert len(points) == scores.ROC_POINTS < len(np.unique(positive))
    assert [(point["fpr"], point["tpr"]) for point in (points[0], points[-1])] == [(0, 0), (1, 1)]
    area = np.trapezoid([point["tpr"] for point in points], [point["fpr"] for point in points])
    assert area == pytest.approx(metrics.roc_auc_score(labels, positive), abs=0.01)


def test_the_classification_report_is_a_hand_calculation():
    labels, guesses = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 0, 1])
    first, second, third = scores.report(labels, guesses, ["a", "b", "c"])
    assert first == {"class": "a", "precision": pytest.approx(2 / 3), "recall": pytest.approx(2 / 3),
                     "f1": pytest.approx(2 / 3), "images": 3}  # fmt: skip
    assert (second["precision"], second["recall"], second["f1"]) == pytest.approx((1 / 3, 1 / 2, 2 / 5))
    assert (third["precision"], third["recall"], third["images"]) == (0, 0, 1)
