"""Scores of predictions: the chapter's figures by scikit-learn where it has them, else by their formula."""

import math

import numpy as np
from scipy.stats import binomtest
from sklearn import metrics

Flat = dict[str, float | int]

ROC_POINTS = 200


def multiclass(labels: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> Flat:
    """Accuracy, cross-entropy loss and each class's recall.

    labels: integers (N). probabilities: (N, classes).
    """
    guesses = probabilities.argmax(axis=1)
    overall: Flat = {
        "images": len(labels),
        "accuracy": accuracy(labels, guesses),
        "loss": float(metrics.log_loss(labels, normalised(probabilities), labels=range(len(classes)))),
    }
    return overall | per_class(labels, guesses, classes)


def accuracy(labels: np.ndarray, guesses: np.ndarray) -> float:
    """Share of the guesses that are right."""
    return float(metrics.accuracy_score(labels, guesses))


def per_class(labels: np.ndarray, guesses: np.ndarray, classes: list[str]) -> Flat:
    """`accuracy_<class>`: recall, the share of the images of a class that were classified correctly; NaN without any."""
    shares = metrics.recall_score(labels, guesses, labels=range(len(classes)), average=None, zero_division=np.nan)
    return {f"accuracy_{name}": float(share) for name, share in zip(classes, shares, strict=True)}


def report(labels: np.ndarray, guesses: np.ndarray, classes: list[str]) -> list[dict[str, str | float | int]]:
    """scikit-learn's classification report: a row a class with precision, recall, f1 and images; 0 where undefined."""
    columns = metrics.precision_recall_fscore_support(labels, guesses, labels=range(len(classes)), zero_division=0)
    return [
        {"class": name, "precision": float(p), "recall": float(r), "f1": float(f1), "images": int(n)}
        for name, p, r, f1, n in zip(classes, *columns, strict=True)
    ]


def confusion(labels: np.ndarray, guesses: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts: row is the true class, column the guess."""
    return np.asarray(metrics.confusion_matrix(labels, guesses, labels=range(n_classes)))


def row_percent(counts: np.ndarray) -> np.ndarray:
    """A confusion matrix in percent of the true class; NaN for a class without images."""
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(100 * counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def binary(labels: np.ndarray, scores: np.ndarray, guesses: np.ndarray) -> Flat:
    """The 16 figures of Kneusel ch. 11 for positive class 1, and the area under the ROC curve twice.

    scores: P(class 1). auc_hard is the chapter's, from the guesses; auc the usual one, from the scores.
    """
    (tn, fp), (fn, tp) = confusion(labels, guesses, 2).tolist()
    return {
        "tp": tp, "fp": fp, "tn": tn, "fn": fn,
        "tpr": _ratio(tp, tp + fn), "tnr": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp), "npv": _ratio(tn, tn + fn),
        "fpr": _ratio(fp, fp + tn), "fnr": _ratio(fn, fn + tp),
        "f1": float(metrics.f1_score(labels, guesses, zero_division=np.nan)),
        "mcc": float(metrics.matthews_corrcoef(labels, guesses)),
        "kappa": float(metrics.cohen_kappa_score(labels, guesses)),
        "informedness": informedness(tp, fp, tn, fn),
        "markedness": markedness(tp, fp, tn, fn),
        "auc_hard": float(metrics.roc_auc_score(labels, guesses)),
        "auc": float(metrics.roc_auc_score(labels, scores)),
    }  # fmt: skip


def informedness(tp: int, fp: int, tn: int, fn: int) -> float:
    """TPR + TNR - 1, in [-1, 1]. NaN when a class is empty. Kneusel ch. 11."""
    return _ratio(tp, tp + fn) + _ratio(tn, tn + fp) - 1


def markedness(tp: int, fp: int, tn: int, fn: int) -> float:
    """PPV + NPV - 1, in [-1, 1]. NaN when a class is never guessed. Kneusel ch. 11."""
    return _ratio(tp, tp + fp) + _ratio(tn, tn + fn) - 1


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> dict[str, float | int]:
    """McNemar's exact test on the same images: how often just one of two classifiers was right, and p.

    p is that of a binomial test of the disagreements against one half, two-sided; 1 without disagreements.
    """
    only_first = int(np.sum(first_right & ~second_right))
    only_second = int(np.sum(~first_right & second_right))
    disagreements = only_first + only_second
    p = binomtest(only_first, disagreements).pvalue if disagreements else 1.0
    return {"only_first_right": only_first, "only_second_right": only_second, "mcnemar_p": float(p)}


def roc(labels: np.ndarray, probabilities: np.ndarray, n_classes: int) -> list[dict[str, float | int]]:
    """Points of the ROC curve of each class against the rest (only class 1 when there are two).

    At most ROC_POINTS a curve, evenly taken: they are for the eye, areas are computed from all.
    """
    points: list[dict[str, float | int]] = []
    for positive in range(n_classes) if n_classes > 2 else [1]:
        fpr, tpr, _ = metrics.roc_curve(labels == positive, probabilities[:, positive].astype(np.float64))
        kept = np.linspace(0, len(fpr) - 1, min(len(fpr), ROC_POINTS)).round().astype(int)
        points += [{"class": positive, "fpr": x, "tpr": y} for x, y in zip(fpr[kept].tolist(), tpr[kept].tolist(), strict=True)]
    return points


def normalised(probabilities: np.ndarray) -> np.ndarray:
    """Rows as float64 that sum to 1: low-precision softmax rows miss it by a little."""
    wide = probabilities.astype(np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
