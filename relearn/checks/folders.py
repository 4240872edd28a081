"""What can be told of the folders of photographs before anything is read. No mistakes: the other pipeline runs without them."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from relearn.data import places
from relearn.params.photos import PhotoSet
from relearn.params.whole import Params
from relearn.photos import albums


def warnings(settings: Params) -> Iterator[str]:
    """A line for each folder that is not here, that DVC or git would handle wrongly, in the pipeline of this folder."""
    archives = {f"data/archives/{key}" for key in settings.archives}
    for key, photos in settings.datasets.items():
        if photos.folder in archives:  # a stage downloads it
            continue
        folder, path = Path(photos.folder), f"datasets.{key}.folder: {photos.folder!r}"
        if not folder.exists():
            yield f"{path}: no such folder or archive here; write the whole path (~ is not understood)"
        elif link := albums.unseen_link(folder):
            yield f"{path}: {link}"
        elif (place := _in_project(folder)) and not Path(f"{folder}.dvc").is_file():
            yield (f"{path}: lies inside the project, where git may take people's photographs and a queued experiment does not "
                   f"see them: `dvc add {place}` at the project's top, or put it outside and write the whole path")  # fmt: skip
        if photos.test_fraction is not None and folder.is_dir() and _has_splits(photos):
            yield f"datasets.{key}.test_fraction: is not used, since {photos.folder} has a folder for each split: take it out"


def _has_splits(photos: PhotoSet) -> bool:
    with contextlib.suppress(ValueError):  # `gather` tells of it
        return any(photo.split for photo in albums.open_album(photos).photos)
    return False


def _in_project(folder: Path) -> str | None:
    """The folder's path from the project's top; None where it is elsewhere."""
    top = places.top().resolve()
    return folder.resolve().relative_to(top).as_posix() if folder.resolve().is_relative_to(top) else None
