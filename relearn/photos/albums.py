"""Albums: photographs in class folders (or numbered through), in a folder or an archive, with a label each."""

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from anyascii import anyascii

from relearn.data import containers
from relearn.params.photos import PhotoSet

CLASS_LIMIT = 256  # labels are uint8
SPLIT_NAMES = {"train": "train|training", "validation": "val|valid|validation|dev", "test": "test|testing"}
SPLIT_FOLDERS = {split: re.compile(f"({names})([ _-]?(set|data|images))?") for split, names in SPLIT_NAMES.items()}
IMAGES = re.compile("images?|imgs?|jpegimages|pictures|photos")
NOTES = re.compile("annotations?|labels?|masks?|trimaps?|xmls?|bbox(es)?|ground_?truth|gt|segmentations?(class|object)?")


@dataclass(frozen=True)
class Photo:
    """A file of an album: its path there, its class's number, and its split where the album has folders of splits."""

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
    """Files that should be photographs, sorted by path; their classes' names; how many other files were passed over.

    scored: the folder of the photographs that are scored where that is a validation split, since there is no other.
    """

    container: Path
    photos: list[Photo]
    classes: list[str]
    ignored: int
    scored: str | None = None

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
    if link := unseen_link(container):
        raise ValueError(link)
    files, folders, ignored = set(), set(), 0
    for entry in containers.entries(container):
        if entry.kind == "file":
            files.add(entry.path)
            folders |= {str(parent) for parent in list(PurePosixPath(entry.path).parents)[:-1]}
        elif entry.kind == "folder":
            folders.add(entry.path)
        else:
            ignored += 1
    root = _root("", folders)
    parents = _splits(container, root, folders, spec) or {None: root}
    photos, classes = _laid_out(container, sorted(files), folders, parents, spec)
    if validation_is_scored := "validation" in parents and "test" not in parents:
        photos = [replace(photo, split="test") if photo.split == "validation" else photo for photo in photos]
    scored = parents["validation"] if validation_is_scored else None
    return Album(container, photos, classes, ignored + len(files) - len(photos), scored)


def unseen_link(container: Path) -> str | None:
    """A line on the first link in a folder that DVC does not follow, with the cure: a folder's, or one that leads nowhere.

    What is behind a link to a file is part of what DVC hashes; behind one to a folder it sees no change.
    """
    for top, folders, files in os.walk(container):
        for path in (Path(top, name) for name in sorted(folders + files)):
            if path.is_symlink() and (path.is_dir() or not path.exists()):
                what = "a link to a folder: DVC does not see what changes there" if path.is_dir() else "a link to nothing"
                return f"{path}: is {what}: remove it, or copy all with what links stand for: cp -rL"
    return None


def class_name(container: Path, folder: str) -> str:
    """A class folder's name in plain letters, digits, _ and -, transliterated; anything else becomes _.

    ValueError for letters without capitals (Chinese, Arabic, ...), whose transliteration nobody would recognise.
    """
    name = unicodedata.normalize("NFKC", folder.rpartition("/")[2])
    foreign = {letter for letter in name if unicodedata.category(letter) == "Lo"}
    words = re.sub(
        r"[^\w-]+", "_", "".join(letter for letter in name if not unicodedata.combining(letter) and letter not in foreign)
    )
    if not (plain_name := re.sub(r"[^A-Za-z0-9_-]+", "_", anyascii(words)).strip("_")):
        raise ValueError(f"{container}: class folder {name!r} has no plain letter or digit in its name: rename it")
    if foreign:
        letters = "".join(sorted(foreign))
        raise ValueError(f"{container}: class folder {name!r} has letters that have no plain ones, {letters}: rename it")
    return plain_name


def _splits(container: Path, root: str, folders: set[str], spec: PhotoSet) -> dict[str | None, str]:
    """The folders of the splits `train`, `validation`, `test` by their usual names; none where these are no splits."""
    named = {folder: folder.rpartition("/")[2].lower() for folder in _children(root, folders)}
    if spec.classes and set(spec.classes) <= {folder.rpartition("/")[2] for folder in named}:
        return {}
    found: dict[str | None, str] = {}
    for split, pattern in SPLIT_FOLDERS.items():
        own = [folder for folder, name in named.items() if pattern.fullmatch(name)]
        if len(own) > 1:
            raise ValueError(f"{container}: {' and '.join(own)} would both be the split {split}: take one of them away")
        if own:
            found[split] = _root(own[0], folders)
    return found if "train" in found and len(found) > 1 else {}


def _laid_out(
    container: Path, files: list[str], folders: set[str], parents: dict[str | None, str], spec: PhotoSet
) -> tuple[list[Photo], list[str]]:
    named = [_named(container, _children(parent, folders)) for parent in parents.values()]
    known = sorted(set().union(*named))
    numbered = bool(spec.classes and spec.images_per_class and not set(spec.classes) & set(known))
    if spec.test_fraction is None and (None in parents or numbered):
        raise ValueError(f"{container}: has no folders train and test: set test_fraction, to .2 say")
    if numbered:
        return _by_number(container, files, spec.classes or [], spec.images_per_class or 1)
    if bare := [parent for (split, parent), by_name in zip(parents.items(), named, strict=True) if split and not by_name]:
        raise ValueError(f"{container}: {' and '.join(bare)} must have a folder for each class: sort the photographs into them, "
                         "or take the folder away")  # fmt: skip
    classes = spec.classes or known
    if absent := [name for name in classes if name not in known]:
        raise ValueError(f"{container}: has no class folder {', '.join(absent)}; there are {', '.join(known) or 'none'}")
    if not spec.classes:
        _check_classes(container, named, folders)
    if not 2 <= len(classes) <= CLASS_LIMIT:
        there = f"{len(classes)} ({classes[0]})" if len(classes) == 1 else f"{len(classes) or 'none'}"
        raise ValueError(f"{container}: needs 2 to {CLASS_LIMIT} class folders, each with the images of one class; has {there}")
    photos = []
    for (split, parent), by_name in zip(parents.items(), named, strict=True):
        for label, name in enumerate(classes):
            folder = by_name.get(name, f"{parent}/{name}")
            own = [Photo(file, label, split) for file in files if file.startswith(f"{folder}/")]
            if not own:
                raise ValueError(f"{container}: class folder {folder} is empty: put images in, or take it away")
            photos += own
    return sorted(photos, key=lambda photo: photo.path), classes


def _check_classes(container: Path, named: list[dict[str, str]], folders: set[str]) -> None:
    """ValueError for folders that look like no classes; `classes` in the block of parameters says that they are."""
    cure = "if these are the classes, list them in `classes`"
    for by_name in named:
        lower = {folder: folder.rpartition("/")[2].lower() for folder in by_name.values()}
        notes = [folder for folder, name in lower.items() if NOTES.fullmatch(name)]
        if notes and (images := [folder for folder, name in lower.items() if IMAGES.fullmatch(name)]):
            raise ValueError(f"{container}: {images[0]} beside {notes[0]} are no classes: "
                             f"put the photographs into a folder for each class; {cure}")  # fmt: skip
        inner = [{folder.rpartition("/")[2] for folder in _children(parent, folders)} for parent in by_name.values()]
        if len(by_name) > 1 and len(shared := sorted(set.intersection(*inner))) > 1:
            first = ", ".join(list(by_name.values())[:3])
            raise ValueError(f"{container}: {first} all hold the folders {', '.join(shared[:3])}: which are the classes? "
                             f"Put a folder for each class on top, in train/ and test/ if there is a split; {cure}")  # fmt: skip


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


def _root(root: str, folders: set[str]) -> str:
    """The folder of the class folders: from `root` down while a lone folder has folders in it."""
    while len(inner := _children(root, folders)) == 1 and _children(inner[0], folders):
        root = inner[0]
    return root


def _children(parent: str, folders: set[str]) -> list[str]:
    return sorted(folder for folder in folders if folder.rpartition("/")[0] == parent)
