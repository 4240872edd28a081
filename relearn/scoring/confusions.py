"""Confusion matrices from what `evaluate` and `one_vs_rest` wrote of each image."""

from pathlib import Path

import numpy as np
import pandas as pd

from relearn.scoring import scores


def percent(key: str, classes: list[str]) -> np.ndarray:
    """plots/confusion/<key>.csv as a matrix in percent of the true class, rows and columns in the order of `classes`."""
    table = pd.read_csv(Path(f"plots/confusion/{key}.csv"), dtype=str, keep_default_na=False)
    places = {name: place for place, name in enumerate(classes)}
    labels, guesses = (table[column].map(places).to_numpy() for column in ("actual", "predicted"))
    return scores.row_percent(scores.confusion(labels, guesses, len(classes)))
