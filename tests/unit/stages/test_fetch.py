import json

from relearn.networks import keras_file
from stages import fetch
from tests.conftest import ROOT
from tests.unit.backbones.conftest import class_names, fetched


def test_fetch_writes_the_network_and_what_is_to_be_known_of_it(monkeypatch, tmp_path):
    names = class_names()
    monkeypatch.setenv("DATASETS_DIR", str((ROOT / fetched("lite0")[0]).parent))
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    fetch.main("lite0")
    about = json.loads((tmp_path / "models/backbones/lite0.json").read_text())
    model = keras_file.load(tmp_path / "models/backbones/lite0.keras")
    assert (about["architecture"], about["weights"], about["side"]) == ("efficientnet_lite0", "imagenet", 224)
    assert about["classes"] == names
    assert model.get_layer(about["features"]).output.shape == (None, 7, 7, 1280)
    assert set(about["cut_points"]) <= {layer.name for layer in model.layers}
