"""State dicts written by hand, opcode by opcode: PyTorch is not needed."""

import pickle
import struct

import numpy as np
import pytest

from relearn.backbones import torch_file

HEADER = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
DICT = b"ccollections\nOrderedDict\n)R"


def atom(value):
    return pickle.dumps(value, 2)[2:-1]


def tensor(key, shape, strides, offset=0, kind="FloatStorage", count=6, function="torch._utils\n_rebuild_tensor_v2"):
    storage = b"(" + atom("storage") + f"ctorch\n{kind}\n".encode() + atom(key) + atom("cpu") + atom(count) + b"NtQ"
    return f"c{function}\n(".encode() + storage + atom(offset) + atom(shape) + atom(strides) + b"\x89" + DICT + b"tR"


def state_dict(entries, storages, metadata=b""):
    items = b"".join(atom(name) + value for name, value in entries.items())
    values = b"".join(struct.pack("<q", array.size) + array.tobytes() for array in storages.values())
    return HEADER + b"\x80\x02" + DICT + b"(" + items + b"u" + metadata + b"." + pickle.dumps(list(storages), 2) + values


SIX = {"1": np.arange(6, dtype=np.float32)}


def test_strides_offsets_types_and_shared_storages_are_honoured():
    entries = {
        "rows": tensor("1", (2, 3), (3, 1)),
        "columns": tensor("1", (3, 2), (1, 3)),
        "last": tensor("1", (2,), (2,), offset=3),
        "count": tensor("2", (), (), kind="LongStorage", count=1),
    }
    got = torch_file.read(state_dict(entries, SIX | {"2": np.array([7], np.int64)}))
    assert list(got) == list(entries)
    assert got["rows"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert got["columns"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert got["last"].tolist() == [3, 5]
    assert got["count"].dtype == np.int64
    assert got["count"].shape == ()
    assert int(got["count"]) == 7
    assert not got["rows"].flags.writeable


def test_what_pytorch_hangs_on_its_dictionaries_is_passed_over():
    metadata = b"}" + atom("_metadata") + DICT + b"sb"
    assert torch_file.read(state_dict({"a": tensor("1", (6,), (1,))}, SIX, metadata))["a"].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("payload", "asked"),
    [
        (b"\x80\x02cos\nsystem\n(" + atom("touch {}") + b"tR.", "os.system"),
        (b"\x80\x02cbuiltins\nexec\n(" + atom("open({!r}, 'w')") + b"tR.", "builtins.exec"),
        (b"\x80\x02ctorch._utils\n_rebuild_parameter\n.", "torch._utils._rebuild_parameter"),
    ],
)
def test_a_pickle_that_asks_for_more_than_tensors_is_refused_and_does_not_run(tmp_path, monkeypatch, payload, asked):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"evil.pth: the pickle asks for {asked}: only tensors are admitted"):
        torch_file.read(HEADER + payload, "evil.pth")
    assert list(tmp_path.iterdir()) == []


def test_admitted_names_cannot_be_changed_from_within():
    attack = b"\x80\x02ccollections\nOrderedDict\n}" + atom("__call__") + atom(1) + b"sb."
    with pytest.raises(ValueError, match="state dict"):
        torch_file.read(HEADER + attack)
    assert torch_file.read(state_dict({"a": tensor("1", (6,), (1,))}, SIX))["a"].shape == (6,)


def test_a_file_that_ends_early_is_refused_wherever_it_ends():
    whole = state_dict({"a": tensor("1", (2, 3), (3, 1))}, SIX)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match="state dict"):
            torch_file.read(whole[:length])
    with pytest.raises(ValueError, match=r"ends within storage 1 \(truncated\)"):
        torch_file.read(whole[:-1])
    with pytest.raises(ValueError, match="has 1 bytes after its last storage"):
        torch_file.read(whole + b"x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"shape": (3, 3), "strides": (3, 1)}, "reach beyond the 6 elements"),
        ({"shape": (2, 3), "strides": (4, 1)}, "reach beyond the 6 elements"),
        ({"shape": (6,), "strides": (1,), "offset": 1}, "reach beyond the 6 elements"),
        ({"shape": (10**9,), "strides": (0,)}, "reach beyond the 6 elements"),
        ({"shape": (6,), "strides": (-1,), "offset": 5}, "no view into a storage"),
        ({"shape": (6,), "strides": (1, 1)}, "2 strides for the shape"),
        ({"shape": (5,), "strides": (1,), "count": 5}, "another size than its tensors say, 5"),
        ({"shape": (6,), "strides": (1,), "kind": "QInt8Storage"}, "torch.QInt8Storage"),
    ],
)
def test_a_tensor_that_does_not_lie_in_its_storage_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        torch_file.read(state_dict({"a": tensor("1", **changes)}, SIX))


def test_one_opcode_cannot_ask_for_gigabytes():
    with pytest.raises(ValueError, match="2147483647 places in a file of"):
        torch_file.read(HEADER + b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".")


def test_the_newer_format_is_named_as_what_it_is_not():
    with pytest.raises(ValueError, match=r"new.pth: .*old format"):
        torch_file.read(b"PK\x03\x04" + bytes(100), "new.pth")


def test_a_tensor_larger_than_its_file_is_refused():
    huge = {"a": tensor("1", (2**20, 2**20), (1, 1))}
    with pytest.raises(ValueError, match="reach beyond the 6 elements stored"):
        torch_file.read(state_dict(huge, SIX))
