"""Splitting an album into training and test rows: class by class, with pictures that belong together on one side.

A row is a photograph's place in the album.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from scipy.cluster.hierarchy import DisjointSet

from relearn.data import seeds
from relearn.data.arrays import SPLITS
from relearn.params.photos import PhotoSet
from relearn.photos import photographs
from relearn.photos.albums import Album

ORDER = {None: 0, "test": 0, "validation": 1, "train": 2}  # the first split that has a picture keeps it
Digests = dict[int, tuple[bytes, bytes]]  # by row: of the file's bytes, of the decoded picture
Unit = list[int]  # rows that belong together; most are alone


def without_copies(album: Album, digests: Digests) -> list[int]:
    """Rows without the files that a class has twice, each picture in one split: test before validation before training.

    A picture that lies in two classes is left out of both, with a line: nobody knows which is right.
    """
    doubtful = in_two_classes(album, digests)
    first: dict[bytes, int] = {}
    files: set[bytes] = set()
    kept = []
    for row in sorted(digests, key=lambda row: (ORDER[album.photos[row].split], row)):
        file, picture = digests[row]
        photo, other = album.photos[row], album.photos[first.setdefault(picture, row)]
        if row in doubtful:
            print(f"  left out: {photographs.shown(photo.path)}: the same picture lies in another class, too", flush=True)
            continue
        if file not in files and other.split == photo.split:
            kept.append(row)
        files.add(file)
    return sorted(kept)


def in_two_classes(album: Album, digests: Digests) -> set[int]:
    """Rows whose picture lies in another class, too."""
    labels: dict[bytes, set[int]] = defaultdict(set)
    for row, (_, picture) in digests.items():
        labels[picture].add(album.photos[row].label)
    return {row for row, (_, picture) in digests.items() if len(labels[picture]) > 1}


def of_album(album: Album, spec: PhotoSet, rows: Sequence[int], digests: Digests, seed: int) -> dict[str, list[Unit]]:
    """The units of `train`, `test` and, if the album has that split, `validation`, in an order shuffled by `seed`.

    Each has at most `spec.limit` rows a class. Pictures that are equal when decoded, or named together by `spec.together`,
    are one unit. Its rows follow one another, so that a holdout cut off anywhere parts at most one unit.
    Raises ValueError naming the class that has too few images.
    """
    joined = [*_equal_pictures(rows, digests), *_told_together(album, spec)]
    own_validation = any(photo.split == "validation" for photo in album.photos)
    sides: dict[str, list[Unit]] = {side: [] for side in (*SPLITS, *["validation"] * own_validation)}
    for label, name in enumerate(album.classes):
        own = [row for row in rows if album.photos[row].label == label]
        random = seeds.generator(seed, "gather", name)
        by_side = _of_class(album, spec, name, own, joined, random)
        for side in sides:
            sides[side] += limited(by_side.get(side, []), spec.limit)
    return {side: shuffled(parts, seeds.generator(seed, "gather", side)) for side, parts in sides.items()}


def units(rows: Sequence[int], joined: Iterable[Iterable[int]]) -> list[Unit]:
    """`rows` in units: those named in one of `joined`, directly or through others, are in one; in the rows' order."""
    sets = DisjointSet(rows)
    for group in joined:
        known = [row for row in group if row in sets]
        for first, second in pairwise(known):
            sets.merge(first, second)
    return [sorted(unit) for row in rows if row == min(unit := sets.subset(row))]


def shuffled(parts: Sequence[Unit], random: np.random.Generator) -> list[Unit]:
    """The units in a random order."""
    return [parts[place] for place in random.permutation(len(parts))]


def divide(parts: Sequence[Unit], fraction: float) -> tuple[list[Unit], list[Unit]]:
    """Training and test units: to test go, whole, the first that fit into `fraction` of all rows. Neither is empty."""
    n = sum(map(len, parts))
    left = test_rows = min(max(int(fraction * n + 0.5), 1), n - 1)
    train: list[Unit] = []
    test: list[Unit] = []
    for part in parts:
        fits = len(part) <= left
        (test if fits else train).append(part)
        left -= len(part) if fits else 0
    if left == test_rows:
        test.append(train.pop(train.index(min(train, key=len))))
    return train, test


def limited(parts: Sequence[Unit], limit: int | None) -> list[Unit]:
    """The units of the first `limit` rows, the last one cut if need be; all when limit is None."""
    if limit is None:
        return list(parts)
    kept: list[Unit] = []
    for part in parts:
        if limit > 0:
            kept.append(part[:limit])
        limit -= len(part)
    return kept


def _of_class(
    album: Album, spec: PhotoSet, name: str, own: Sequence[int], joined: list[list[int]], random: np.random.Generator
) -> dict[str, list[Unit]]:
    """One class's training, test and validation units, shuffled."""
    if spec.test_fraction is not None and all(album.photos[row].split is None for row in own):
        parts = shuffled(units(own, joined), random)
        sides = dict(zip(SPLITS, divide(parts, spec.test_fraction), strict=True)) if len(parts) > 1 else {}
    else:
        by_split = {side: [row for row in own if album.photos[row].split == side] for side in (*SPLITS, "validation")}
        sides = {side: shuffled(units(rows, joined), random) for side, rows in by_split.items()}
    if not sides or not all(sides[side] for side in SPLITS):
        raise ValueError(f"{album.container}: class {name} has {len(own)} readable images: at least 2 that do not belong "
                         "together are needed, one to train and one to test")  # fmt: skip
    return sides


def _equal_pictures(rows: Sequence[int], digests: Digests) -> list[list[int]]:
    by_picture = defaultdict(list)
    for row in rows:
        by_picture[digests[row][1]].append(row)
    return [group for group in by_picture.values() if len(group) > 1]


def _told_together(album: Album, spec: PhotoSet) -> list[list[int]]:
    """The groups of `spec.together` as rows. Raises ValueError for a class or a number that the album has not."""
    numbered: dict[tuple[str, int | None], list[int]] = defaultdict(list)
    for row, photo in enumerate(album.photos):
        numbered[album.classes[photo.label], photo.number].append(row)
    groups = [[(name, number) for number in group] for name, sets in spec.together.items() for group in sets]
    for name, number in (pair for group in groups for pair in group):
        if (name, number) not in numbered:
            raise ValueError(f"together.{name}: {album.container} has no file with the number {number} in a class {name}")
    return [[row for pair in group for row in numbered[pair]] for group in groups]
