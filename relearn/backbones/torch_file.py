"""PyTorch state dicts in the old format (`torch.save` before 1.6): tensors, and nothing else, are read from them.

The file is four pickles (magic number, protocol, sizes of types, the dictionary, with its storages named by key),
a fifth with the storages' keys, and then each storage: its number of elements (int64) and its values. PyTorch
is not needed: an unpickler that knows tensors only makes descriptions of them, and NumPy looks at the bytes.
"""

import io
import math
import pickle
from typing import Any, NamedTuple

import numpy as np

from relearn.data import pickles

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
PROTOCOL = 1001
KINDS = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4",
    "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?",
}  # fmt: skip


class Kind(NamedTuple):
    """Element type of a storage."""

    dtype: str


class Storage(NamedTuple):
    """A run of elements of one type in the file."""

    kind: Kind
    key: str
    elements: int


class Tensor(NamedTuple):
    """A view into a storage; offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class RebuildTensor(NamedTuple):
    """Stands for torch._utils._rebuild_tensor_v2."""

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> Tensor:
        if not isinstance(storage, Storage) or not all(
            type(number) is int and number >= 0 for number in (offset, *shape, *strides)
        ):
            raise ValueError("a tensor of the file is no view into a storage")
        return Tensor(storage, offset, tuple(shape), tuple(strides))


class StateDict(dict[str, Tensor]):
    """An ordered dictionary without the attributes that PyTorch adds to it."""

    def __setstate__(self, state: Any) -> None: ...


class MakeDict(NamedTuple):
    """Stands for collections.OrderedDict. An instance, as a class could be changed by the pickle."""

    def __call__(self) -> StateDict:
        return StateDict()


def read(raw: bytes, name: str = "state dict") -> dict[str, np.ndarray]:
    """The file's tensors by name: read-only arrays of their own shape, which look at `raw` and copy nothing.

    raw: the whole file, which the caller has bounded. name: for messages.
    Raises ValueError when the file is none, is cut short, or asks for anything but tensors.
    """
    stream = io.BytesIO(raw)
    try:
        if not raw.startswith(MAGIC) or (_load(stream), _load(stream))[1] != PROTOCOL:
            raise ValueError("is no PyTorch file in the old format")
        _load(stream)  # sizes of types on the machine that wrote it: the storages' are fixed
        described, keys = _load(stream), _load(stream)
        storages = _storages(stream, raw, described, keys)
        return {key: _view(key, tensor, storages[tensor.storage.key]) for key, tensor in described.items()}
    except Exception as error:  # a damaged pickle makes the unpickler raise anything
        raise ValueError(f"{name}: {error or type(error).__name__}") from error


class _TensorsOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in KINDS:
            return Kind(KINDS[name])
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return RebuildTensor()
        if (module, name) == ("collections", "OrderedDict"):
            return MakeDict()
        raise ValueError(f"the pickle asks for {module}.{name}: only tensors are admitted")

    def persistent_load(self, pid: Any) -> Storage:
        label, kind, key, _, count, view = pid
        if label != "storage" or not isinstance(kind, Kind) or type(count) is not int or view is not None:
            raise ValueError(f"the pickle asks for {pid}: only whole storages are admitted")
        return Storage(kind, str(key), count)


def _load(stream: io.BytesIO) -> Any:
    """The pickle at the stream's place."""
    pickles.check(stream, len(stream.getbuffer()))
    return _TensorsOnly(stream).load()


def _storages(stream: io.BytesIO, raw: bytes, described: Any, keys: Any) -> dict[str, np.ndarray]:
    """All storages of the file by key, each as large as the tensors say; nothing may be left over."""
    if not isinstance(described, StateDict) or not all(isinstance(tensor, Tensor) for tensor in described.values()):
        raise ValueError("holds something else than a dictionary of tensors")
    expected = {tensor.storage.key: tensor.storage for tensor in described.values()}
    if not isinstance(keys, list) or sorted(keys) != sorted(expected):
        raise ValueError("lists other storages than its tensors use")
    storages, place = {}, stream.tell()
    for key in keys:
        dtype, count = np.dtype(expected[key].kind.dtype), expected[key].elements
        if int.from_bytes(raw[place : place + 8], "little", signed=True) != count:
            raise ValueError(f"storage {key} at byte {place} has another size than its tensors say, {count}")
        if place + 8 + count * dtype.itemsize > len(raw):
            raise ValueError(f"ends within storage {key} (truncated)")
        storages[key] = np.frombuffer(raw, dtype, count, place + 8)
        place += 8 + count * dtype.itemsize
    if place != len(raw):
        raise ValueError(f"has {len(raw) - place} bytes after its last storage")
    return storages


def _view(name: str, tensor: Tensor, storage: np.ndarray) -> np.ndarray:
    """The tensor's elements in its storage. ValueError when it reaches beyond, or shows more than the storage has."""
    if len(tensor.strides) != len(tensor.shape):
        raise ValueError(f"{name}: has {len(tensor.strides)} strides for the shape {tensor.shape}")
    last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True))
    if math.prod(tensor.shape) > len(storage) or (0 not in tensor.shape and last >= len(storage)):
        raise ValueError(
            f"{name}: shape {tensor.shape} and strides {tensor.strides} reach beyond the {len(storage)} elements stored"
        )
    strides = [stride * storage.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides, writeable=False)
