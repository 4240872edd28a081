import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from relearn import checks
from relearn.painting import style
from tests.unit.painting.test_style import pictures
from tests.unit.stages.test_style_transfer import tiny_project
from tools import style_transfer


@pytest.fixture
def project(tmp_path, monkeypatch):
    return tiny_project(tmp_path, monkeypatch)


def paint(*arguments):
    style_transfer.main([*arguments])


def test_ones_own_two_pictures_are_turned_as_their_exif_says(project):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90 degrees
    Image.fromarray(pictures()[0]).save("turned.jpg", exif=exif)
    paint("turned.jpg", "style.jpg", "--out", "pictures/mine.png")
    assert Image.open("pictures/mine.png").size == (38, 48)
    assert [path.name for path in Path("pictures").iterdir()] == ["mine.png"]
    assert not (project / "plots/style").exists()


def test_each_wrong_file_has_a_line_of_its_own(project):
    (project / "words.png").write_text("no picture")
    with pytest.raises(SystemExit, match=r"^error: words\.png: ") as caught:
        paint("words.png", "nowhere.jpg", "--out", "mine.png")
    lines = str(caught.value).removeprefix("error: ").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["words.png", "nowhere.jpg"]
    Image.fromarray(np.zeros((4, 900, 3), np.uint8)).save("thin.png")
    with pytest.raises(SystemExit, match=r"^error: thin.png: 900 x 4 pixels would become"):
        paint("thin.png", "style.jpg", "--out", "mine.png")


@pytest.mark.parametrize(("out", "why"), [("mine.xyz", "are written as .png"), ("content.png", "would overwrite")])
def test_an_output_that_cannot_be_is_refused_before_anything_is_computed(project, monkeypatch, out, why):
    monkeypatch.setattr(style, "transfer", lambda *_: pytest.fail("was computed"))
    before = (project / "content.png").read_bytes()
    with pytest.raises(SystemExit, match=f"^error: --out {out}: .*{why}"):
        paint("content.png", "style.jpg", "--out", out)
    assert (project / "content.png").read_bytes() == before


@pytest.mark.parametrize(
    "arguments", [[], ["a.png", "b.png"], ["cat", "--out", "x.png"], ["a.png", "b.png", "c.png", "--out", "x.png"]]
)
def test_other_command_lines_are_answered_with_the_usage(project, arguments, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", style_transfer)
    with pytest.raises(SystemExit) as ended:
        paint(*arguments)
    assert ended.value.code == 2
    assert "usage: python -m tools.style_transfer" in capsys.readouterr().err


def test_without_a_block_there_are_no_numbers(project, monkeypatch):
    monkeypatch.setattr(checks.load(), "style_transfer", {})
    with pytest.raises(SystemExit, match=r"^error: params.yaml has no block in style_transfer"):
        paint("content.png", "style.jpg", "--out", "mine.png")
