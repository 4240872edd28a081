from pathlib import Path

import pytest

from relearn import checks
from relearn.networks import keras_file, nets
from tests.conftest import ROOT
from tools import inspect_model


def test_inspect_model_lists_a_network_of_ours(monkeypatch, tmp_path, capsys):
    """LeNet's parameters by hand: 20 x 26, 50 x 501, 500 x 801, 10 x 501."""
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    net = checks.load().nets["lenet"]
    keras_file.save(nets.build(net, (28, 28, 1), 10, 0), Path("models/lenet.keras"))
    inspect_model.main("lenet")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[-2] for line in lines if line[2:3] in (["Conv2D"], ["Dense"])] == ["520", "25,050", "400,500", "5,010"]
    assert any(line[1:3] == ["cut", "points:"] for line in lines)


def test_inspect_model_lists_the_books_indices(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    inspect_model.main("resnet50")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["index", "name", "class", "output", "shape", "parameters", "trained"]
    assert lines[3] == ["2", "conv1_conv", "Conv2D", "N", "x", "112", "x", "112", "x", "64", "9,472", "yes"]
    assert ["resnet50:", "25,636,712", "parameters,", "25,583,592", "trainable"] in lines
    with pytest.raises(ValueError, match=r"resnt50: no backbone of params.yaml .*close to resnet50"):
        inspect_model.main("resnt50")
