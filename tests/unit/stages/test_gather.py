import io
import json
import os
import shutil
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from relearn.data import arrays
from relearn.params import whole
from relearn.params.photos import PhotoSet
from relearn.params.whole import Params
from relearn.photos import albums, photographs, splits
from stages import gather
from tests.conftest import ROOT

WHAT_IT_IS_FOR = {"recipe": "two_phases", "backbone": "lite0"}
COMPUTE = {"precision": "float32", "threads": 1, "jobs": 1}


def picture(number):
    """A PNG whose pixels all say `number`."""
    stream = io.BytesIO()
    Image.new("RGB", (12, 10), (number % 256, number // 256, 7)).save(stream, "PNG")
    return stream.getvalue()


def zoo(cats=10, dogs=10):
    """Files of an album of two classes; picture k says k, dogs from 100 on."""
    files = {f"cat/cat.{number}.png": picture(number) for number in range(1, cats + 1)}
    return files | {f"dog/dog.{number}.png": picture(100 + number) for number in range(1, dogs + 1)}


def as_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            (path / name).write_bytes(content)
        else:
            (path / name).mkdir(exist_ok=True)
    return path


def as_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def as_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.fixture
def gathered(tmp_path, monkeypatch):
    """Runs the stage on a folder or archive with a block of parameters; gives images, labels, files and metrics."""

    def run(folder, key="mine", **block):
        monkeypatch.chdir(tmp_path)
        block = {"folder": str(folder), "side": 4, "test_fraction": 0.2} | WHAT_IT_IS_FOR | block
        settings = Params.model_validate({"scale": "smoke", "seed": 14, "compute": COMPUTE, "datasets": {key: block}})
        monkeypatch.setattr("relearn.checks.load", lambda: settings)
        gather.main(key)
        data_set = {name: np.array(arrays.read(Path(f"data/{key}/{name}.npy"))) for name in
                 ("train_images", "train_labels", "test_images", "test_labels")}  # fmt: skip
        files = json.loads(Path(f"data/{key}/files.json").read_text())
        return data_set, files, json.loads(Path(f"metrics/gather/{key}.json").read_text())

    return run


def test_every_row_is_the_file_it_is_said_to_be_with_its_class(gathered, tmp_path):
    data_set, files, metrics = gathered(as_folder(tmp_path / "zoo", zoo()))
    assert arrays.read_classes(Path("data/mine")) == ["cat", "dog"]
    for split in ("train", "test"):
        assert len(files[split]) == len(data_set[f"{split}_images"]) == metrics[f"{split}_images"]
        for name, image, label in zip(files[split], data_set[f"{split}_images"], data_set[f"{split}_labels"], strict=True):
            number = int(name.split(".")[1])
            assert label == name.startswith("dog")
            assert (image[:, :, 0] == number + 100 * label).all()
    assert data_set["train_images"].dtype == np.uint8
    assert data_set["train_images"].shape == (16, 4, 4, 3)
    assert Path("plots/gather/mine.png").is_file()


def test_the_split_is_disjoint_stratified_and_exact(gathered, tmp_path):
    data_set, files, _ = gathered(as_folder(tmp_path / "zoo", zoo(40, 12)), test_fraction=0.25)
    assert not set(files["train"]) & set(files["test"])
    assert set(files["train"]) | set(files["test"]) == set(zoo(40, 12))
    assert np.bincount(data_set["test_labels"]).tolist() == [10, 3]


def test_folder_tar_tgz_and_zip_give_the_same_data_set(gathered, tmp_path):
    files = {f"some/photos/{name}": content for name, content in zoo().items()}
    albums = [as_folder(tmp_path / "folder", files), as_tar(tmp_path / "a", dict(reversed(files.items()))),
              as_tar(tmp_path / "b", files, "w:gz"), as_zip(tmp_path / "c", files)]  # fmt: skip
    results = [gathered(album) for album in albums]
    for other in results[1:]:
        assert other[1:] == results[0][1:]
        for name, array in results[0][0].items():
            assert np.array_equal(array, other[0][name])


def test_the_same_photographs_are_split_alike_under_every_name(gathered, tmp_path):
    folder = as_folder(tmp_path / "zoo", zoo(40, 40))
    first, other = (gathered(folder, key=key)[1] for key in ("mine", "yours"))
    assert first == other


def test_train_rows_are_mixed_so_that_the_last_fifth_is_a_fair_holdout(gathered, tmp_path):
    data_set, _, _ = gathered(as_folder(tmp_path / "zoo", zoo(99, 99)))
    assert 0.25 < data_set["train_labels"][-32:].mean() < 0.75


def test_groups_stay_on_one_side_and_next_to_one_another(gathered, tmp_path):
    pairs = [[number, number + 20] for number in range(1, 21)]
    data_set, files, metrics = gathered(as_folder(tmp_path / "zoo", zoo(60, 9)), together={"cat": pairs}, test_fraction=0.5)
    for pair in pairs:
        names = {f"cat/cat.{number}.png" for number in pair}
        side = "train" if names & set(files["train"]) else "test"
        places = sorted(files[side].index(name) for name in names)
        assert places[1] == places[0] + 1
        assert len({files[f"{side}_groups"][place] for place in places}) == 1
    assert metrics["groups_kept_together"] == 20
    assert np.bincount(data_set["test_labels"])[0] == 30


def test_a_number_that_no_file_has_cannot_be_kept_together(gathered, tmp_path):
    with pytest.raises(ValueError, match=r"together.cat: .* has no file with the number 77 in a class cat"):
        gathered(as_folder(tmp_path / "zoo", zoo()), together={"cat": [[1, 77]]})


def test_pictures_that_are_equal_when_decoded_stay_on_one_side(gathered, tmp_path):
    files = zoo(30, 4)
    for number in range(1, 16):
        files[f"cat/copy.{number + 500}.bmp"] = repacked(files[f"cat/cat.{number}.png"], "BMP")
    _, names, metrics = gathered(as_folder(tmp_path / "zoo", files), test_fraction=0.4)
    sides = {name: side for side in ("train", "test") for name in names[side]}
    assert all(sides[f"cat/cat.{number}.png"] == sides[f"cat/copy.{number + 500}.bmp"] for number in range(1, 16))
    assert (metrics["identical"], metrics["groups_kept_together"]) == (0, 15)


def repacked(content, kind):
    stream = io.BytesIO()
    Image.open(io.BytesIO(content)).save(stream, kind)
    return stream.getvalue()


def test_a_file_twice_in_a_class_is_kept_once_and_in_two_classes_left_out(gathered, tmp_path):
    files = zoo() | {"cat/again.png": picture(3)}
    _, names, metrics = gathered(as_folder(tmp_path / "twice", files))
    assert metrics["identical"] == 1
    assert len({"cat/again.png", "cat/cat.3.png"} & {*names["train"], *names["test"]}) == 1
    _, names, metrics = gathered(as_folder(tmp_path / "both", zoo() | {"dog/same.png": picture(3)}))
    assert metrics["in_two_classes"] == 2
    assert metrics["identical"] == 0
    assert not {"cat/cat.3.png", "dog/same.png"} & {*names["train"], *names["test"]}


def test_folders_train_and_test_are_taken_as_they_are_without_what_is_in_both(gathered, tmp_path):
    files = {f"train/{name}": content for name, content in zoo().items()}
    files |= {"test/cat/a.png": picture(50), "test/cat/b.bmp": repacked(picture(4), "BMP"), "test/dog/c.png": picture(150)}
    _, names, metrics = gathered(as_folder(tmp_path / "zoo", files), test_fraction=None)
    assert set(names["test"]) == {"test/cat/a.png", "test/cat/b.bmp", "test/dog/c.png"}
    assert set(names["train"]) == {f"train/{name}" for name in zoo()} - {"train/cat/cat.4.png"}
    assert metrics["identical"] == 1
    _, same_names, _ = gathered(tmp_path / "zoo", test_fraction=0.2)
    assert same_names == names
    with pytest.raises(ValueError, match=r"has no folders train and test: set test_fraction, to .2 say"):
        gathered(as_folder(tmp_path / "plain", zoo()), test_fraction=None)


def test_files_numbered_through_get_their_classes_from_their_numbers(gathered, tmp_path):
    files = {f"jpg/image_{number:04d}.jpg": picture(number) for number in range(1, 13)} | {"jpg/files.txt": b"a list"}
    archive = as_tar(tmp_path / "17flowers.tgz", files, "w:gz")
    data_set, names, metrics = gathered(archive, classes=["rose", "aster", "iris"], images_per_class=4, test_fraction=0.25)
    assert metrics == {"train_images": 9, "test_images": 3, "classes": 3, "unreadable": 0, "identical": 0,
                       "in_two_classes": 0, "ignored": 1, "groups_kept_together": 0}  # fmt: skip
    for name, label in zip(names["train"], data_set["train_labels"], strict=True):
        assert label == (int(name[10:14]) - 1) // 4


def test_only_the_named_classes_are_taken_in_their_order_and_at_most_the_limit(gathered, tmp_path):
    files = zoo() | {f"emu/{number}.png": picture(200 + number) for number in range(10)}
    data_set, _, metrics = gathered(as_folder(tmp_path / "zoo", files), classes=["emu", "cat"], limit=3)
    assert arrays.read_classes(Path("data/mine")) == ["emu", "cat"]
    assert np.bincount(data_set["train_labels"]).tolist() == [3, 3]
    assert np.bincount(data_set["test_labels"]).tolist() == [2, 2]
    assert metrics["ignored"] == 10
    with pytest.raises(ValueError, match=r"has no class folder gnu; there are cat, dog, emu"):
        gathered(tmp_path / "zoo", classes=["cat", "gnu"])


def test_unreadable_and_foreign_files_are_left_out_and_counted(gathered, tmp_path, capsys):
    files = zoo() | {f"cat/666{letter}.jpg": b"" for letter in "abcdefghijkl"}
    files |= {"dog/11702.jpg": picture(99)[:50], "dog/Thumbs.db": b"x", "cat/.DS_Store": b"x", "readme[1].txt": b"x"}
    files["__MACOSX/cat/._cat.1.png"] = b"x"
    _, _, metrics = gathered(as_zip(tmp_path / "kagglecatsanddogs", {f"PetImages/{name}": c for name, c in files.items()}))
    assert (metrics["train_images"], metrics["unreadable"], metrics["ignored"]) == (16, 13, 4)
    lines = [line for line in capsys.readouterr().out.splitlines() if "left out" in line]
    assert len(lines) == 11
    assert "PetImages/cat/666a.jpg: the file is empty" in lines[0]
    assert "3 more files" in lines[-1]


def test_what_an_archive_smuggles_is_not_taken(gathered, tmp_path):
    path = as_tar(tmp_path / "evil.tar", zoo() | {"../cat/out.png": picture(70), "/cat/absolute.png": picture(71)})
    with tarfile.open(path, "a") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE):
            link = tarfile.TarInfo(f"cat/link{kind.decode()}.png")
            link.type, link.linkname = kind, "/etc/passwd"
            archive.addfile(link)
    _, names, metrics = gathered(path)
    assert {*names["train"], *names["test"]} == set(zoo())
    assert metrics["ignored"] == 5
    linked = zipfile.ZipInfo("cat/link.png")
    linked.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(as_zip(tmp_path / "evil.zip", zoo() | {"..\\cat\\out.png": picture(72)}), "a") as archive:
        archive.writestr(linked, "/etc/passwd")
    assert gathered(tmp_path / "evil.zip")[2]["ignored"] == 2
    assert not list(tmp_path.parent.glob("cat"))


@pytest.mark.parametrize(("train", "validation", "test"), [
    ("train", None, "test"), ("TRAIN", None, "Testing"), ("Training", None, "Testing"), ("training_set", None, "test_set"),
    ("train", "val", "test"), ("train", "valid", "test"), ("Training", "Validation", "Testing"), ("train", "val", None),
    ("train_set", "validation-set", None), ("trainset", "dev", "test data"),
])  # fmt: skip
def test_split_folders_by_their_usual_names_are_no_classes(gathered, tmp_path, capsys, train, validation, test):
    scored = test or validation
    files = {f"pets/{train}/{name}": content for name, content in zoo(6, 5).items()}
    files |= {f"pets/{scored}/cat/cat.{number}.png": picture(number) for number in (50, 51)}
    files |= {f"pets/{scored}/dog/dog.{number}.png": picture(100 + number) for number in (50, 51)}
    if own := validation and test:
        files |= {f"pets/{validation}/{kind}/a.png": picture(number) for kind, number in (("cat", 70), ("dog", 170))}
    _, names, metrics = gathered(as_folder(tmp_path / "zoo", files))
    assert arrays.read_classes(Path("data/mine")) == ["cat", "dog"]
    assert {name.split("/")[1] for name in names["train"]} == {train, validation} - {None} if own else {train}
    assert {name.split("/")[1] for name in names["test"]} == {scored}
    assert (metrics["train_images"], metrics["test_images"]) == (11, 4)
    assert metrics.get("validation_images") == (2 if own else None)
    assert metrics.get("scored_validation_images") == (None if test else 4)
    assert ("no test split" in capsys.readouterr().out) == (test is None)


@pytest.mark.parametrize("counts", [(7, 3), (61, 20), (3, 1), (97, 32)])
def test_a_validation_split_is_the_holdout_of_the_data_sets_trainings(gathered, tmp_path, counts):
    files = {f"test/{kind}/a.png": picture(number) for kind, number in (("cat", 900), ("dog", 950))}
    for first, (split, count) in enumerate(zip(("train", "val"), counts, strict=True)):
        files |= {f"{split}/{kind}/{number}.png": picture(1000 * first + 400 * place + number)
                  for place, kind in enumerate(("cat", "dog")) for number in range(count)}  # fmt: skip
    _, names, _ = gathered(as_folder(tmp_path / "zoo", files))
    block = {"optimizer": {"name": "adam", "learning_rate": 0.1}, "batch": 8, "epochs": 1, "holdout": 0.5}
    recipe = {"head": block | {"net": "GAP"}, "tune": block | {"train_from": 3}}
    photos = {"folder": "zoo", "side": 4} | WHAT_IT_IS_FOR
    raw = {"scale": "smoke", "seed": 14, "compute": COMPUTE, "recipes": {"two_phases": recipe},
           "datasets": {"mine": photos, "unread": photos}}  # fmt: skip
    transfer = whole.with_recipes(Params.model_validate(raw)).transfer
    for phase in ("mine_head", "mine_tuned"):
        train, shown, score = arrays.open_whole("mine").parts(holdout=transfer[phase].holdout)
        assert {names["train"][row].split("/")[0] for row in train.rows} == {"train"}
        assert {names["train"][row].split("/")[0] for row in shown.rows} == {"val"}
        assert (len(train), len(shown), len(score)) == (2 * counts[0], 2 * counts[1], 2)
    assert transfer["unread_head"].holdout == 0.5
    shutil.rmtree(tmp_path / "zoo/val")
    gathered(tmp_path / "zoo")
    assert whole.with_recipes(Params.model_validate(raw)).transfer["mine_head"].holdout == 0.5


def test_a_picture_in_several_splits_stays_in_the_one_that_is_judged_by(gathered, tmp_path):
    files = {f"train/{name}": content for name, content in zoo().items()}
    files |= {
        f"val/{kind}/{number}.png": picture(number + add) for kind, add in (("cat", 0), ("dog", 100)) for number in (1, 2, 70)
    }
    files |= {
        f"test/{kind}/{number}.png": picture(number + add) for kind, add in (("cat", 0), ("dog", 100)) for number in (2, 3, 80)
    }
    _, names, metrics = gathered(as_folder(tmp_path / "zoo", files))
    assert {name for name in names["test"] if "cat" in name} == {f"test/cat/{number}.png" for number in (2, 3, 80)}
    assert {name for name in names["train"] if "val/cat" in name} == {f"val/cat/{number}.png" for number in (1, 70)}
    assert not {f"train/cat/cat.{number}.png" for number in (1, 2, 3)} & set(names["train"])
    assert (metrics["train_images"], metrics["validation_images"], metrics["test_images"]) == (14, 4, 6)


def test_classes_that_are_listed_may_have_any_name(gathered, tmp_path):
    files = {name.replace("cat/", "train/").replace("dog/", "test/"): content for name, content in zoo().items()}
    gathered(as_folder(tmp_path / "vehicles", files), classes=["train", "test"])
    assert arrays.read_classes(Path("data/mine")) == ["train", "test"]
    gathered(
        as_folder(
            tmp_path / "two",
            zoo() | {f"{kind}/{n}.png": picture(n) for kind in ("train", "bus") for n in range(200 + len(kind), 300, 10)},
        )
    )
    assert arrays.read_classes(Path("data/mine")) == ["bus", "cat", "dog", "train"]


def test_what_dvc_would_not_see_changing_behind_a_link_is_refused(gathered, tmp_path):
    folder = as_folder(tmp_path / "zoo", zoo())
    (tmp_path / "elsewhere").mkdir()
    (folder / "dog").rename(tmp_path / "elsewhere" / "dog")
    (folder / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    with pytest.raises(ValueError, match=r"zoo/dog: is a link to a folder: .*cp -rL$"):
        gathered(folder)
    (folder / "dog").unlink()
    (tmp_path / "elsewhere" / "dog").rename(folder / "dog")
    (folder / "cat" / "lost.png").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"zoo/cat/lost.png: is a link to nothing: "):
        gathered(folder)
    (folder / "cat" / "lost.png").unlink()
    (folder / "cat" / "cat.1.png").rename(tmp_path / "elsewhere" / "1.png")
    (folder / "cat" / "cat.1.png").symlink_to(tmp_path / "elsewhere" / "1.png")  # DVC hashes what is behind a file's link
    os.mkfifo(folder / "cat" / "pipe.png")
    (tmp_path / "link").symlink_to(folder)
    metrics = gathered(tmp_path / "link")[2]
    assert (metrics["train_images"], metrics["identical"]) == (16, 0)


def test_when_it_is_stopped_it_says_how_far_it_was(gathered, tmp_path, monkeypatch):
    read, files = photographs.read_image, iter(range(20))

    def until_the_seventh(*arguments):
        if next(files) == 6:
            raise KeyboardInterrupt
        return read(*arguments)

    monkeypatch.setattr(photographs, "read_image", until_the_seventh)
    with pytest.raises(SystemExit, match="gather@mine: stopped after 6 of 20 files; the same command begins anew"):
        gathered(as_folder(tmp_path / "zoo", zoo()))


ONE_LINE = {
    "one class": ({"cat/1.png": picture(1), "cat/2.png": picture(2)}, r"needs 2 to 256 class folders.*; has 1 \(cat\)"),
    "no class": ({"1.png": picture(1)}, "needs 2 to 256 class folders.*; has none"),
    "empty class": (zoo() | {"emu/": b""}, "class folder emu is empty: put images in, or take it away"),
    "junk in a class": (zoo() | {"emu/.DS_Store": b"x"}, "class folder emu is empty"),
    "too few": (zoo(1, 9), "class cat has 1 readable images: at least 2"),
    "too few that can be read": (zoo(1, 9) | {"cat/2.png": b"text"}, "class cat has 1 readable images: at least 2"),
    "the same all over": (zoo(0, 9) | {"cat/1.png": picture(1), "cat/2.bmp": repacked(picture(1), "BMP")}, "class cat has 2"),
    "no plain letter": (
        zoo() | {"猫/1.png": picture(1)},
        "class folder '猫' has no plain letter or digit in its name: rename it",
    ),
    "no plain letter beside a digit": (
        zoo() | {"猫1/1.png": picture(1)},
        "class folder '猫1' has letters that have no plain ones",
    ),
    "both names of a split": (
        {f"{split}/{name}": content for split in ("train", "test", "Testing") for name, content in zoo().items()},
        "Testing and test would both be the split test: take one of them away",
    ),
    "a split without classes": (
        {f"train/{name}": content for name, content in zoo().items()} | {"test/1.png": picture(1)},
        "zoo: test must have a folder for each class",
    ),
    "splits under the classes": (
        {
            f"{kind}/{split}/{number}.png": picture(number)
            for kind in ("cat", "dog")
            for split in ("train", "val")
            for number in range(9)
        },
        "cat, dog all hold the folders train, val: which are the classes",
    ),
    "folds": (
        {f"{fold}/{name}": content for fold in ("fold1", "fold2", "fold3") for name, content in zoo().items()},
        "fold1, fold2, fold3 all hold the folders cat, dog: which are the classes",
    ),
    "a split without training": (
        {f"{split}/{name}": content for split in ("val", "test") for name, content in zoo().items()},
        "test, val all hold the folders cat, dog: which are the classes",
    ),
    "images beside annotations": (
        {f"images/{number}.png": picture(number) for number in range(9)} | {"annotations/trimaps/1.png": picture(90)},
        "images beside annotations are no classes: put the photographs into a folder for each class",
    ),
    "images beside labels in splits": (
        {
            f"{split}/{kind}/{number}.png": picture(number)
            for split in ("train", "valid")
            for kind in ("images", "labels")
            for number in range(9)
        },
        "train/images beside train/labels are no classes",
    ),
    "same plain name": (zoo() | {"dög/1.png": picture(1)}, "class folders dog and dög would have the same name: rename one"),
    "too many": ({f"c{number}/1.png": b"" for number in range(257)}, "needs 2 to 256 class folders.*; has 257"),
}


@pytest.mark.parametrize("kind", ONE_LINE)
def test_a_folder_that_makes_no_data_set_is_refused_in_one_line(gathered, tmp_path, kind):
    files, reason = ONE_LINE[kind]
    with pytest.raises(ValueError, match=reason) as caught:
        gathered(as_folder(tmp_path / "zoo", files))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("data/*"))


def test_a_folder_that_is_not_there_is_looked_for_in_datasets_dir(gathered, tmp_path, monkeypatch):
    monkeypatch.delenv("DATASETS_DIR", raising=False)
    with pytest.raises(ValueError, match=r"^zoo.tar: not there: put the folder or archive there, or set DATASETS_DIR"):
        gathered("zoo.tar")
    (tmp_path / "sets").mkdir()
    as_tar(tmp_path / "sets" / "zoo.tar", zoo())
    monkeypatch.setenv("DATASETS_DIR", str(tmp_path / "sets"))
    assert gathered("zoo.tar")[2]["train_images"] == 16


@pytest.mark.parametrize("make", [as_tar, as_zip, lambda path, files: as_tar(path, files, "w:gz")])
def test_a_damaged_archive_is_refused(gathered, tmp_path, make):
    path = make(tmp_path / "zoo", zoo())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 - 700])
    with pytest.raises(ValueError, match=r"zoo: (the archive is damaged|is no folder, tar or zip archive, or a damaged one)"):
        gathered(path)


def test_a_member_that_unpacks_to_too_much_is_left_out(gathered, tmp_path, monkeypatch):
    monkeypatch.setattr("relearn.data.containers.FILE_LIMIT", 10_000)
    assert gathered(as_zip(tmp_path / "a", zoo() | {"cat/bomb.png": b"\0" * 10_001}))[2]["unreadable"] == 1
    monkeypatch.setattr("relearn.data.containers.TOTAL_LIMIT", 1000)
    with pytest.raises(ValueError, match="unpacks to more than 1,000 bytes"):
        gathered(tmp_path / "a")


DATASETS = Path(os.environ.get("DATASETS_DIR", "absent"))
NEAR = {"daffodil": [[2, 42], [14, 48]], "iris": [[402, 472], [403, 475], [405, 476]], "pansy": [[1311, 1327]]}


def flower_pairs():
    """The near-identical pairs as photos/params.yaml lists them."""
    return yaml.safe_load((ROOT / "photos/params.yaml").read_text())["datasets"]["flowers17"]["together"]


@pytest.mark.skipif(not (DATASETS / "flowers17.tar").is_file(), reason="DATASETS_DIR names no folder with flowers17.tar")
def test_no_pair_of_flowers_straddles_the_split():
    pairs = flower_pairs()
    assert sum(map(len, pairs.values())) == 69
    assert all(pair in pairs[name] for name in NEAR for pair in NEAR[name])
    block = {"folder": "flowers17.tar", "test_fraction": 0.25, "side": 8, "together": pairs}
    spec = PhotoSet.model_validate(block | WHAT_IT_IS_FOR)
    album = albums.open_album(spec)
    digests = {row: (photo.path.encode(), photo.path.encode()) for row, photo in enumerate(album.photos)}
    sides = splits.of_album(album, spec, list(digests), digests, 14)
    on = {album.photos[row].number: side for side, parts in sides.items() for part in parts for row in part}
    assert len(on) == 1360
    assert list(on.values()).count("test") == 340
    assert all(on[first] == on[second] for group in pairs.values() for first, second in group)


@pytest.mark.skipif(not (DATASETS / "cats_vs_dogs.tar").is_file(), reason="DATASETS_DIR names no folder with cats_vs_dogs.tar")
def test_cats_and_dogs_come_in_their_own_split(gathered):
    data_set, _, metrics = gathered("cats_vs_dogs.tar", test_fraction=None, limit=5, together={"dog": [[74, 180]]})
    assert np.bincount(data_set["test_labels"]).tolist() == [5, 5]
    assert metrics["unreadable"] == metrics["identical"] == 0
