import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from relearn.data import arrays


@pytest.fixture
def view(tmp_path, monkeypatch):
    """A data set of 6 images in 3 classes under ./data, and a view of 4 of them in 2."""
    monkeypatch.chdir(tmp_path)
    images = np.arange(6 * 4 * 4 * 3, dtype=np.uint8).reshape(6, 4, 4, 3)
    labels = np.array([0, 1, 2, 0, 1, 2], np.uint8)
    folder = arrays.DATA / "tiny"
    arrays.write(folder, train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    arrays.write_classes(folder, ["a", "b", "c"])
    view = arrays.VIEWS / "half"
    rows, new = np.array([1, 2, 4, 5], np.uint32), np.array([0, 1, 0, 1], np.uint8)
    arrays.write(view, train_index=rows, train_labels=new, test_index=rows, test_labels=new)
    arrays.write_classes(view, ["b", "c"])
    (view / "view.json").write_text(json.dumps({"images": "tiny", "crop": 2}))
    return view


def test_a_view_reads_cropped_pixels_and_new_labels_without_copying(view):
    opened = arrays.open_view("tiny", "half")
    source = np.load("data/tiny/test_images.npy")
    assert np.array_equal(opened.test.batch(np.array([3, 0])), source[[5, 1], 1:3, 1:3])
    assert opened.test.image_shape == (2, 2, 3)
    assert opened.test.labels.tolist() == [0, 1, 0, 1]
    assert opened.test.fine_labels.tolist() == [1, 2, 1, 2]
    assert isinstance(opened.train.images, np.memmap)


def test_the_parts_of_a_view_share_no_image(view):
    _, validation, score = arrays.open_view("tiny", "half").parts(1)
    assert validation.rows.tolist() == [1]
    assert score.rows.tolist() == [2, 4, 5]


def test_a_holdout_is_the_last_of_the_training_images_and_all_test_images_are_scored(view):
    train, holdout, score = arrays.open_view("tiny", "half").parts(holdout=0.25)
    assert train.rows.tolist() == [1, 2, 4]
    assert holdout.rows.tolist() == [5]
    assert score.rows.tolist() == [1, 2, 4, 5]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"validation": 4}, "validation: 4 leaves no test images of 4"), ({"holdout": 0.9}, "holdout: 0.9 leaves no training")],
)
def test_parts_that_leave_nothing_are_refused(view, arguments, message):
    with pytest.raises(ValueError, match=message):
        arrays.open_view("tiny", "half").parts(**arguments)


def test_pixel_statistics_are_numpys(view):
    split = arrays.open_view("tiny", "half").train
    assert split.pixel_statistics() == pytest.approx((split.batch(slice(None)).mean(), split.batch(slice(None)).std()))


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("test_labels", np.array([0, 1, 0], np.uint8), "has 3 labels for 4 rows"),
        ("test_labels", np.array([0, 1, 0, 2], np.uint8), "has label 2, there are 2 classes"),
        ("test_index", np.array([1, 2, 4, 6], np.uint32), "names row 6, tiny has 6"),
        ("train_index", np.array([], np.uint32), "labels for 0 rows"),
    ],
)
def test_labels_that_do_not_match_their_images_are_refused(view, name, values, message):
    arrays.write(view, **{name: values})
    with pytest.raises(ValueError, match=message):
        arrays.open_view("tiny", "half")


def test_a_data_sets_labels_must_match_its_images(view):
    arrays.write(arrays.DATA / "tiny", test_labels=np.zeros(5, np.uint8))
    with pytest.raises(ValueError, match=r"test_labels.npy has 5 labels for 6 images"):
        arrays.open_view("tiny", "half")


def test_a_view_of_another_data_set_is_refused(view):
    (view / "view.json").write_text(json.dumps({"images": "other", "crop": None}))
    with pytest.raises(ValueError, match="was made for other, not tiny"):
        arrays.open_view("tiny", "half")


def test_object_arrays_and_half_files_are_refused(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tmp_path / "half.npy").write_bytes(b"\x93NUMPY\x01")
    for name in ("objects", "half"):
        with pytest.raises(ValueError, match=f"{name}.npy: is no plain array"):
            arrays.read(tmp_path / f"{name}.npy")


def test_grey_digits_are_centred_and_copied_to_three_channels():
    digits = np.full((2, 28, 28, 1), 7, np.uint8)
    fitted = arrays.fit_into(digits, (32, 32, 3))
    assert fitted.shape == (2, 32, 32, 3)
    assert (fitted[:, 2:30, 2:30] == 7).all()
    assert fitted.sum() == 7 * 2 * 28 * 28 * 3


def test_images_too_large_to_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        arrays.fit_into(np.zeros((1, 33, 32, 3), np.uint8), (32, 32, 3))


class Attack:
    def __reduce__(self):
        return open, ("ran", "w")


def header(shape, kind="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": kind, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def npz(**values):
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, **values)
    return stream.getvalue()


ARRAYS = {
    "objects": header((1,), "|O") + pickle.dumps([Attack()]),
    "a pickle": pickle.dumps(Attack()),
    "several arrays": npz(a=np.zeros(3)),
    "8 TB": header((2**43,)) + b"few",
    "a negative shape": header((-5,)) + b"few",
    "a header of 64 kB": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535,
    "a cut": b"\x93NUMPY\x01",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_hostile_array_is_refused_and_runs_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("x.npy").write_bytes(ARRAYS[kind])
    with pytest.raises(ValueError, match=r"^x.npy: is no plain array: "):
        arrays.read(Path("x.npy"))
    assert [path.name for path in Path().iterdir()] == ["x.npy"]


def test_an_embedding_is_a_data_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = arrays.DATA / "embeddings/x"
    features = np.random.default_rng(0).normal(size=(6, 2, 2, 5)).astype("float16")
    arrays.write(folder, train_features=features, test_features=features[:3],
                 train_labels=np.zeros(6, np.uint8), test_labels=np.ones(3, np.uint8))  # fmt: skip
    arrays.write_classes(folder, ["a", "b"])
    view = arrays.open_whole("embeddings/x")
    assert view.train.image_shape == (2, 2, 5)
    assert np.array_equal(view.test.batch(np.array([2, 0])), features[[2, 0]])
