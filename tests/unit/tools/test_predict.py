import io
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from relearn import checks
from relearn.data import arrays
from relearn.networks import keras_file, nets
from relearn.networks.engine import keras
from relearn.params.whole import Params
from relearn.photos import photographs
from relearn.training import compute
from tools import predict

NAMES = ["ant", "bee", "cat", "dog", "emu", "fox"]
FIT = {
    "images": "tiny",
    "labels": "tiny_view",
    "net": "n",
    "optimizer": {"name": "adam", "learning_rate": 0.001},
    "batch": 2,
    "epochs": 1,
}
SETTINGS = {
    "scale": "smoke",
    "seed": 1,
    "compute": {"precision": "float32", "threads": 1, "jobs": 1},
    "backbones": {"lite0": {"architecture": "efficientnet_lite0"}, "absent": {"architecture": "vgg16"}},
    "train": {"small": FIT, "grey": FIT, "wrong": FIT, "features": FIT, "sigmoid": FIT},
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A working folder with tiny networks, the names of their classes, and pictures."""
    top = tmp_path_factory.mktemp("predict")
    (top / "models/backbones").mkdir(parents=True)
    lite0 = nets.build("C4 P2 flatten F5", (12, 12, 3), 6, seed=1)
    keras_file.save(lite0, top / "models/backbones/lite0.keras")
    (top / "models/backbones/lite0.json").write_text(json.dumps({"side": 12, "classes": NAMES}))
    keras_file.save(nets.build("flatten F5", (8, 8, 3), 2, seed=2), top / "models/small.keras")
    keras_file.save(nets.build("flatten F5", (8, 8, 1), 2, seed=2), top / "models/grey.keras")
    keras_file.save(nets.build("flatten F5", (8, 8, 3), 3, seed=2), top / "models/wrong.keras")
    keras_file.save(keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)]), top / "models/features.keras")
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    redness = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(pixels))
    unit = keras.layers.Dense(1, "sigmoid", kernel_initializer=keras.initializers.Constant(1.0))(redness)
    keras_file.save(keras.Model(pixels, unit), top / "models/sigmoid.keras")
    view = top / "data/views/tiny_view"
    view.mkdir(parents=True)
    arrays.write_classes(view, ["no", "yes"])
    arrays.write(top / "data/tiny", train_images=np.full((3, 8, 8, 3), 9, np.uint8), train_labels=np.zeros(3, np.uint8))
    arrays.write_classes(top / "data/tiny", ["no", "yes"])
    Image.new("RGB", (30, 20), (255, 0, 0)).save(top / "red.png")
    Image.new("L", (20, 30), 200).save(top / "grey.jpg")
    (top / "text.jpg").write_text("no picture")
    (top / "empty").mkdir()
    return top


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Runs the tool in the folder; gives its exit status and the lines of standard output and error."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(checks, "load", lambda: Params.model_validate(SETTINGS))
    monkeypatch.setitem(sys.modules, "__main__", predict)
    monkeypatch.setattr(compute, "configure", lambda spec: None)  # TensorFlow has started already, by the fixture

    def call(*arguments):
        capsys.readouterr()
        status: object = 0
        try:
            predict.main([*map(str, arguments)])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return call


def test_the_best_classes_are_told_with_index_name_and_score(run, tmp_path):
    status, lines, _ = run("lite0", "red.png", "skimage:chelsea", "--top", 3, "--json", tmp_path / "deep/named.json")
    assert status == 0
    model = keras.models.load_model("models/backbones/lite0.keras")
    for place, (name, image) in enumerate([("red.png", photographs.read_image(Path("red.png"))),
                                           ("skimage:chelsea", photographs.shipped("skimage:chelsea"))]):  # fmt: skip
        scores = model.predict(photographs.fit(image, 12)[None], verbose=0)[0]
        best = sorted(range(6), key=lambda index: -scores[index])[:3]
        expected = [f"{name}  {rank}  {index} {NAMES[index]}  {scores[index]:.4f}" for rank, index in enumerate(best, 1)]
        assert lines[3 * place : 3 * place + 3] == expected
        listed = json.loads((tmp_path / "deep/named.json").read_text())[place]
        assert listed["file"] == name
        assert [(row["index"], row["name"]) for row in listed["top"]] == [(index, NAMES[index]) for index in best]
        assert [row["score"] for row in listed["top"]] == pytest.approx(scores[best].tolist(), abs=1e-5)


def test_what_cannot_be_read_gets_a_line_and_the_others_are_named(run):
    status, lines, errors = run("small", "text.jpg", "red.png", "absent.jpg", "empty", "evil\nname.jpg", "grey.jpg")
    assert status == 1
    assert [line.split("  ")[0] for line in lines] == ["red.png", "red.png", "grey.jpg", "grey.jpg"]
    told = [line for line in errors if line.startswith("error: ")]
    assert [line.split(": ")[1] for line in told] == ["text.jpg", "absent.jpg", "empty", "evil\\nname.jpg"]


def test_a_picture_is_named_the_same_alone_and_among_others(run):
    alone = run("small", "red.png")[1]
    assert run("small", *["grey.jpg"] * 20, "text.jpg", "red.png")[1][-2:] == alone


def test_nothing_readable_is_an_error_without_an_answer(run):
    assert run("small", "text.jpg")[:2] == (1, [])


@pytest.fixture
def holiday(folder, tmp_path):
    """A folder with more pictures than the network takes at a time, in folders, among files that are none; gives their names."""
    top = tmp_path / "my holiday"
    names = [*(f"{number:02}.png" for number in range(20)), "beach/a,b.jpg", "beach/far/c.jpg"]
    for name in names:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / ("red.png" if name.endswith("png") else "grey.jpg"), top / name)
    for name in (".DS_Store", "beach/Thumbs.db", "05b.txt"):
        (top / name).write_text("no picture")
    return top, [f"{top}/{name}" for name in names]


def test_all_pictures_of_a_folder_are_named_though_a_file_is_none(run, holiday):
    top, names = holiday
    status, lines, errors = run("small", top, "--top", 1)
    assert status == 1
    assert [line.split("  ")[0] for line in lines] == names
    assert [line for line in errors if "error" in line] == [line for line in errors if f"{top}/05b.txt" in line] != []
    assert lines == [line for name in names for line in run("small", name, "--top", 1)[1]]


def test_csv_and_json_go_to_standard_output_with_nothing_else(run, holiday, tmp_path):
    top, names = holiday
    status, lines, _ = run("lite0", top, "red.png", "--csv", "--top", 2, "--layer", "conv_0", "--out", tmp_path / "x.npy")
    assert status == 1
    table = pd.read_csv(io.StringIO("\n".join(lines)))
    assert table["file"].tolist() == [name for name in [*names, "red.png"] for _ in range(2)]
    assert table["rank"].tolist() == [1, 2] * len([*names, "red.png"])
    status, text, _ = run("lite0", top, "red.png", "--json", "-", "--top", 2)
    assert status == 1
    answers = [(answer["file"], row["index"], row["name"], row["score"]) for answer in json.loads("\n".join(text))
               for row in answer["top"]]  # fmt: skip
    assert answers == list(table[["file", "index", "class", "score"]].itertuples(index=False, name=None))
    assert np.load(tmp_path / "x.npy").shape[0] == len(names) + 1


def test_without_a_picture_that_can_be_read_csv_is_a_header_and_json_an_empty_list(run, tmp_path):
    assert run("small", "text.jpg", "--csv")[:2] == (1, ["file,rank,index,class,score"])
    assert run("small", "text.jpg", "--json", "-")[:2] == (1, ["[]"])
    assert run("small", "text.jpg", "--json", tmp_path / "named.json")[:2] == (1, [])
    assert not (tmp_path / "named.json").exists()


def test_a_name_of_any_bytes_is_printed(run, holiday):
    top, _ = holiday
    name = os.fsdecode(os.fsencode(top) + b"/beach/\xff.png")
    shutil.copy("red.png", name)
    for arguments in ([], ["--csv"], ["--json", "-"]):
        status, lines, errors = run("small", name, *arguments)
        assert (status, [line for line in errors if "error" in line]) == (0, [])
        assert "udcff" in "".join(lines)


def test_a_tilde_that_the_shell_did_not_expand_is_the_home(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy("red.png", tmp_path / "mine.png")
    assert run("small", "~/mine.png", "--json", "~/named.json")[0] == 0
    assert json.loads((tmp_path / "named.json").read_text())[0]["file"] == f"{tmp_path}/mine.png"


def test_rows_of_data_sets_and_grey_networks(run):
    assert run("small", "tiny:train:2")[0] == 0
    assert len(run("grey", "red.png")[1]) == 2
    assert run("backbones/lite0", "red.png")[1] == run("lite0", "red.png")[1]


def test_one_sigmoid_unit_is_two_classes(run):
    score = 1 / (1 + np.exp(-1.0))  # a red picture's channels average to 1, 0, 0
    assert run("sigmoid", "red.png")[1] == [f"red.png  1  1 yes  {score:.4f}", f"red.png  2  0 no  {1 - score:.4f}"]


def test_features_of_an_inner_layer_are_written(run, tmp_path):
    out = tmp_path / "features.npy"
    status, lines, _ = run("lite0", "red.png", "text.jpg", "grey.jpg", "--layer", "conv_0", "--out", out)
    assert status == 1
    features = np.load(out, allow_pickle=False)
    assert features.dtype == np.float32
    assert features.shape == (2, 10, 10, 4)
    model = keras.models.load_model("models/backbones/lite0.keras")
    kernel, bias = model.get_layer("conv_0").get_weights()
    red = kernel[:, :, 0].sum(axis=(0, 1)) + bias  # red is 1 and the other channels 0, everywhere
    assert features[0] == pytest.approx(np.broadcast_to(np.maximum(red, 0), (10, 10, 4)), abs=1e-5)
    assert lines[-1] == f"{out}: 2 x 10 x 10 x 4 features of conv_0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["smal", "red.png"], "smal: no such model; params.yaml has lite0, absent, small"),
     (["absent", "red.png"], "models/backbones/absent.keras: is not there; it is made by: dvc repro fetch@absent"),
     (["wrong", "red.png"], "wrong: has 3 outputs, data/views/tiny_view/classes.json 2 names"),
     (["features", "red.png"], "features: takes (7,) features of an embedding, no pictures"),
     (["lite0", "red.png", "--layer", "convo_0", "--out", "x.npy"], "lite0 has no layer 'convo_0', but conv_0")],
)  # fmt: skip
def test_a_wrong_wish_is_one_line(run, arguments, message):
    status, lines, _ = run(*arguments)
    assert message in str(status)
    assert "\n" not in str(status)
    assert not lines


@pytest.mark.parametrize(
    "arguments",
    [
        ["lite0", "red.png", "--csv", "--json", "-"],
        ["lite0", "red.png", "--top", 0],
        ["lite0", "red.png", "--layer", "conv_0"],
        ["lite0"],
        [],
    ],
)
def test_a_wrong_command_line_shows_the_usage(run, arguments):
    status, _, errors = run(*arguments)
    assert status == 2
    assert any("usage: python -m tools.predict" in line for line in errors)


@pytest.mark.parametrize(("name", "start"), [("plot.png", b"\x89PNG"), ("plot.webp", b"RIFF")])
def test_the_plot_has_a_row_a_picture(run, tmp_path, name, start):
    heights = []
    for names in (["red.png"], ["red.png", "grey.jpg", "text.jpg"]):
        run("lite0", *names, "--plot", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)
        heights.append(photographs.read_image(tmp_path / name).shape[0])
    assert heights[1] == 2 * heights[0]
