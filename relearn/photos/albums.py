"""Albums: photographs in class folders (or numbered through), in a folder or an archive, with a label each."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from relearn.data import containers
from relearn.data.arrays import SPLITS
from relearn.params.photos import PhotoSet

CLASS_LIMIT = 256  # labels are uint8


@dataclass(frozen=True)
class Photo:
    """A file of an album: its path there, its class's number, and its split where the album has train/ and test/."""

    path: str
    label: int
    split: str | None = None

    @property
    def number(self) -> int | None:
        """The last group of digits in the file's name."""
        digits = re.findall(r"\d+", PurePosixPath(self.path).stem)
        return int(digits[-1]) if digits else None


@dataclass(frozen=True)
class Album:
    """Files that should be photographs, sorted by path; their classes' names; how many other files were passed over."""

    container: Path
    photos: list[Photo]
    classes: list[str]
    ignored: int

    def contents(self) -> Iterator[tuple[int, Callable[[], bytes]]]:
        """Each photograph's place in `photos` and the function that reads it, in the order in which they are stored."""
        places = {photo.path: place for place, photo in enumerate(self.photos)}
        for entry in containers.entries(self.container):
            if entry.kind == "file" and (place := places.pop(entry.path, None)) is not None:
                yield place, entry.read


def find(name: str) -> Path:
    """The folder or archive `name`: as it stands, or in the folder DATASETS_DIR. ValueError when it is in neither."""
    places = [Path(name).expanduser()]
    if datasets := os.environ.get("DATASETS_DIR"):
        places.append(Path(datasets) / name)
    for place in places:
        if place.exists():
            return place
    looked = " and ".join(map(str, places))
    raise ValueError(f"{looked}: not there: put the folder or archive there, or set DATASETS_DIR to the folder that holds it")


def open_album(spec: PhotoSet) -> Album:
    """What is in `spec.folder`, by names only. ValueError with the cure when it makes no data set."""
    container = find(spec.folder)
    files, folders, ignored = set(), set(), 0
    for entry in containers.entries(container):
        if entry.kind == "file":
            files.add(entry.path)
            folders |= {str(parent) for parent in list(PurePosixPath(entry.path).parents)[:-1]}
        elif entry.kind == "folder":
            folders.add(entry.path)
        else:
            ignored += 1
    photos, classes = _laid_out(container, sorted(files), folders, spec)
    return Album(container, photos, classes, ignored + len(files) - len(photos))


def class_name(container: Path, folder: str) -> str:
    """A class folder's name in plain letters, digits, _ and -: accents are taken off, anything else becomes _."""
    name = folder.rpartition("/")[2]
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    if not (plain_name := re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_")):
        raise ValueError(f"{container}: class folder {name!r} has no plain letter or digit in its name: rename it")
    return plain_name


def _laid_out(container: Path, files: list[str], folders: set[str], spec: PhotoSet) -> tuple[list[Photo], list[str]]:
    root = _root(folders)
    splits = {folder.rpartition("/")[2].lower(): folder for folder in _children(root, folders)}
    parents: list[tuple[str | None, str]] = [(None, root)]
    if set(SPLITS) <= set(splits):
        parents = [(split, splits[split]) for split in SPLITS]
    named = [_named(container, _children(parent, folders)) for _, parent in parents]
    known = sorted(set().union(*named))
    numbered = bool(spec.classes and spec.images_per_class and not set(spec.classes) & set(known))
    if spec.test_fraction is None and (len(parents) == 1 or numbered):
        raise ValueError(f"{container}: has no folders train and test: set test_fraction, to .2 say")
    if numbered:
        return _by_number(container, files, spec.classes or [], spec.images_per_class or 1)
    classes = spec.classes or known
    if absent := [name for name in classes if name not in known]:
        raise ValueError(f"{container}: has no class folder {', '.join(absent)}; there are {', '.join(known) or 'none'}")
    if not 2 <= len(classes) <= CLASS_LIMIT:
        there = f"{len(classes)} ({classes[0]})" if len(classes) == 1 else f"{len(classes) or 'none'}"
        raise ValueError(f"{container}: needs 2 to {CLASS_LIMIT} class folders, each with the images of one class; has {there}")
    photos = []
    for (split, parent), by_name in zip(parents, named, strict=True):
        for label, name in enumerate(classes):
            folder = by_name.get(name, f"{parent}/{name}")
            own = [Photo(file, label, split) for file in files if file.startswith(f"{folder}/")]
            if not own:
                raise ValueError(f"{container}: class folder {folder} is empty: put images in, or take it away")
            photos += own
    return sorted(photos, key=lambda photo: photo.path), classes


def _by_number(container: Path, files: list[str], classes: list[str], each: int) -> tuple[list[Photo], list[str]]:
    """Files numbered through: class k has the numbers k * each + 1 to (k + 1) * each."""
    numbers = {file: Photo(file, 0).number or 0 for file in files}
    photos = [Photo(file, (n - 1) // each) for file, n in numbers.items() if 1 <= n <= each * len(classes)]
    there = {photo.label for photo in photos}
    if empty := [name for label, name in enumerate(classes) if label not in there]:
        raise ValueError(f"{container}: has neither class folders nor numbered files for {', '.join(empty)}")
    return photos, classes


def _named(container: Path, folders: list[str]) -> dict[str, str]:
    """Class folders by their classes' names."""
    by_name: dict[str, str] = {}
    for folder in folders:
        if (other := by_name.setdefault(class_name(container, folder), folder)) != folder:
            raise ValueError(f"{container}: class folders {other} and {folder} would have the same name: rename one")
    return by_name


def _root(folders: set[str]) -> str:
    """The folder of the class folders: from the top down while a lone folder has folders in it."""
    root = ""
    while len(inner := _children(root, folders)) == 1 and _children(inner[0], folders):
        root = inner[0]
    return root


def _children(parent: str, folders: set[str]) -> list[str]:
    return sorted(folder for folder in folders if folder.rpartition("/")[0] == parent)
