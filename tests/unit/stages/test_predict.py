import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relearn import checks
from relearn.networks import keras_file, nets
from relearn.params.base import ParamsError
from relearn.params.whole import Params
from relearn.photos import photographs
from relearn.training import compute
from stages import predict
from tests.unit.tools.test_predict import NAMES, SETTINGS

BLOCK = {"model": "backbones/lite0", "pictures": ["skimage:chelsea", "red.png"]}


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """A folder with a tiny network, a picture and a block `shown`; gives the settings by which TensorFlow is set up."""
    monkeypatch.chdir(tmp_path)
    settings = Params.model_validate(SETTINGS | {"predict": {"shown": BLOCK}})
    auto = settings.compute.model_copy(update={"precision": "bfloat16"})
    monkeypatch.setattr(checks, "load", lambda: settings.model_copy(update={"compute": auto}))
    configured: list[object] = []
    monkeypatch.setattr(compute, "configure", configured.append)
    keras_file.save(nets.build("C4 P2 flatten F5", (12, 12, 3), 6, seed=1), Path("models/backbones/lite0.keras"))
    Path("models/backbones/lite0.json").write_text(json.dumps({"side": 12, "classes": NAMES}))
    Image.new("RGB", (30, 20), (255, 0, 0)).save("red.png")
    return configured


def test_the_pictures_of_a_block_are_classified_for_the_report(configured, capsys):
    predict.main("shown")
    model = keras_file.load(Path("models/backbones/lite0.keras"))
    images = [photographs.shipped("skimage:chelsea"), photographs.read_image(Path("red.png"))]
    scores = model.predict_on_batch(np.stack([photographs.fit(image, 12) for image in images]))
    best = np.argsort(-scores, axis=1)[:, :5]
    listed = json.loads(Path("plots/predict/shown.json").read_text())
    assert [row["file"] for row in listed] == BLOCK["pictures"]
    assert [[choice["name"] for choice in row["top"]] for row in listed] == [[NAMES[index] for index in row] for row in best]
    assert [row["top"][0]["score"] for row in listed] == pytest.approx(scores.max(axis=1).tolist(), abs=1e-5)
    assert Path("plots/predict/shown.webp").read_bytes().startswith(b"RIFF")
    assert (
        len([line for line in capsys.readouterr().out.splitlines() if line.startswith(("skimage:chelsea  ", "red.png  "))]) == 10
    )


def test_single_pictures_are_classified_in_float32_whatever_the_trainings_have(configured):
    predict.main("shown")
    assert [settings.precision for settings in configured] == ["float32"]


def test_a_block_that_is_not_there_is_one_line(configured):
    with pytest.raises(ParamsError, match=r"^predict\.nothing: no such experiment; params\.yaml has shown$"):
        predict.main("nothing")
