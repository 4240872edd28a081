from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from relearn import checks
from relearn.data import records
from relearn.networks import keras_file
from relearn.params.base import Compute
from relearn.training import compute
from stages import style_transfer
from tests.unit.painting.test_style import pictures, spec, tiny


def tiny_project(folder, monkeypatch):
    """Makes `folder` one with a tiny random backbone and one block of style_transfer, `cat`, in force."""
    keras_file.save(tiny(), folder / "models/backbones/tiny.keras")
    (folder / "plots").mkdir()
    monkeypatch.chdir(folder)
    settings = SimpleNamespace(
        scale="smoke",
        compute=Compute(precision="bfloat16", threads=1, jobs=1),
        style_transfer={"cat": spec(content="content.png", style="style.jpg")},
    )
    settings.experiment = lambda dictionary, key: getattr(settings, dictionary)[key]
    monkeypatch.setattr(checks, "load", lambda: settings)
    monkeypatch.setattr(compute, "configure", lambda settings: {"precision": settings.precision})
    content, stripes = pictures()
    Image.fromarray(content).save("content.png")
    Image.fromarray(stripes).save("style.jpg")
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch):
    return tiny_project(tmp_path, monkeypatch)


def test_the_stage_writes_pictures_curve_and_metrics(project):
    style_transfer.main("cat")
    shapes = {name: np.asarray(Image.open(f"plots/style/{name}.png")).shape for name in ("cat", "cat_content", "cat_style")}
    assert shapes == {"cat": (38, 48, 3), "cat_content": (38, 48, 3), "cat_style": (48, 27, 3)}
    curve = pd.read_csv("plots/style/cat.csv")
    assert list(curve.columns) == ["step", "loss", "content", "style", "total_variation"]
    assert list(curve["step"]) == [0, 5, 6]
    metrics = records.read_json(project / "metrics/style_transfer/cat.json")
    assert (metrics["side"], metrics["steps"], metrics["precision"]) == (48, 6, "float32")
    assert metrics["style_left"] == pytest.approx(curve["style"].iloc[-1] / curve["style"].iloc[0], rel=1e-4)
    assert metrics["loss"] == curve["loss"].iloc[-1]


def test_a_missing_backbone_is_named_with_its_cure(project):
    (project / "models/backbones/tiny.keras").unlink()
    with pytest.raises(ValueError, match=r"models/backbones/tiny.keras: is not there yet; dvc repro fetch@tiny makes it"):
        style_transfer.main("cat")
    assert not (project / "plots/style").exists()
