"""Weights in HDF5 files from outside: what a file says that it holds is looked at before any of it is read."""

import math
from typing import Any

import h5py

LIMIT = 2 * 2**30  # bytes of all arrays; keras.applications' largest network has 1.4 GB


def check(file: h5py.File) -> None:
    """Raises ValueError for arrays that lie in other files, are no numbers, or would be more than LIMIT bytes in memory.

    A few bytes can stand for arrays of any size, and HDF5 and Keras make them before their shapes are compared.
    """
    total = 0

    def fault(name: str, item: Any) -> str | None:
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return None
        if item.is_virtual or item.external:
            return f"{name} lies in another file"
        if item.dtype.kind not in "biuf":
            return f"{name} is an array of {item.dtype}: only numbers are admitted"
        total += (size := max(item.nbytes, item.dtype.itemsize * math.prod(item.chunks or ())))  # a chunk is read whole
        return f"its arrays are more than {LIMIT:,} bytes, {name} alone {size:,}" if total > LIMIT else None

    def link(name: str, kind: Any) -> str | None:
        return None if isinstance(kind, h5py.HardLink) else f"{name} is a link to another place"

    if mistake := file.visititems_links(link) or file.visititems(fault):  # these stop at the first word
        raise ValueError(mistake)
