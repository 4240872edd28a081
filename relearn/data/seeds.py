"""Seeds of their own for every stage, repeat, layer and epoch, all derived from the one in params.yaml."""

import zlib

import numpy as np


def derive(seed: int, *parts: str | int) -> int:
    """A seed in [0, 2**32) that depends on `seed` and every part: the same parts give the same seed."""
    words = [part if isinstance(part, int) else zlib.crc32(part.encode()) for part in parts]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0])


def generator(seed: int, *parts: str | int) -> np.random.Generator:
    """A NumPy generator seeded by `derive`."""
    return np.random.default_rng(derive(seed, *parts))
