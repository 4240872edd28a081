"""Small results on disk: flat JSON and CSV, written so that equal results are equal bytes."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DECIMALS = 6
HEADLINE = ("accuracy", "loss", "holdout_accuracy", "standard_error", "auc", "mcc", "mcnemar_p")  # columns of the metrics table


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Writes one JSON object; floats rounded to 6 decimals (p-values and the like to 6 digits), NaN as null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(_plain(record), indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`."""
    return dict(json.loads(path.read_text()))


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Writes a table with a header line and no index; floats with 6 decimals."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format=f"%.{DECIMALS}f", lineterminator="\n")


def write_predicted(path: Path, labels: np.ndarray, guesses: np.ndarray, classes: list[str]) -> None:
    """Writes the true and the predicted class of each image, as DVC's confusion template takes them."""
    names = np.array(classes)
    write_csv(path, pd.DataFrame({"actual": names[labels], "predicted": names[guesses]}))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return round(value, DECIMALS) if abs(value) >= 10**-DECIMALS else float(f"{value:.{DECIMALS}g}")
    return value
