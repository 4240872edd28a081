"""What several tests of backbones share: networks with weights and without, and photographs."""

import numpy as np
import pytest
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_images

from relearn import checks
from relearn.backbones import backbones
from relearn.params.data import Backbone
from relearn.sources import sources
from tests.conftest import ROOT

TINY = "efficientnet_lite0"


def random_network(architecture, seed=0):
    return backbones.make(Backbone(architecture=architecture, weights="random"), [], seed)


def fetched(key):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return sources.files(key, checks.load().backbones[key].sources)


def square(photograph, side):
    """The middle square, scaled."""
    cut = min(photograph.shape[:2])
    top, left = ((whole - cut) // 2 for whole in photograph.shape[:2])
    picture = Image.fromarray(photograph[top : top + cut, left : left + cut, :3])
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))


@pytest.fixture(scope="session")
def lite0():
    return backbones.make(Backbone(architecture="efficientnet_lite0"), fetched("lite0"))


@pytest.fixture(scope="session")
def untrained():
    return random_network(TINY)


def class_names():
    """ImageNet's, from the package that has them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return backbones.class_names(sources.files("imagenet_classes", [checks.load().single("imagenet_classes")]))


@pytest.fixture(scope="session")
def names():
    return class_names()


@pytest.fixture(scope="session")
def photographs():
    pictures = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.stereo_motorcycle()[0]]
    middle = np.stack([square(picture, 224) for picture in [*pictures, *load_sample_images().images]])
    return np.concatenate([middle, middle[:, :, ::-1]])
