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

    def look(name: str, item: Any) -> None:
        nonlocal total
        if not isinstance(item, h5py.Dataset):
            return
        if item.is_virtual or item.external:
            raise ValueError(f"{name} lies in another file")
        if item.dtype.kind not in "biuf":
            raise ValueError(f"{name} is an array of {item.dtype}: only numbers are admitted")
        total += max(item.nbytes, item.dtype.itemsize * math.prod(item.chunks or ()))
        if total > LIMIT:
            raise ValueError(f"its arrays are more than {LIMIT:,} bytes, {name} alone {item.nbytes:,}")

    def follow(name: str, link: Any) -> None:
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"{name} is a link to another place")

    file.visititems_links(follow)
    file.visititems(look)
