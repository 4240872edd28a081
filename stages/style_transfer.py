"""Paint one picture in the style of another.

    python -m stages.style_transfer pagoda
    python -m stages.style_transfer my_content.jpg my_style.jpg --out picture.png

Reads  params style_transfer.<key>; models/backbones/<backbone>.keras
Writes plots/style/<key>{,_content,_style}.png, plots/style/<key>.csv, metrics/style_transfer/<key>.json

Two pictures of one's own are transferred with the numbers of the first block of style_transfer.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from stages.lib import command, compute, keras_file, params, photographs, records, style, timings
from stages.lib.params import Params, StyleTransfer

FOLDER = Path("plots/style")
EVERY = 5  # steps between two rows of the curve
WRITTEN = (".png", ".jpg", ".jpeg")


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser("python -m stages.style_transfer", description="Paint one picture in the style of another.")
    parser.add_argument("pictures", nargs="+", metavar="key | content style", help="a block of params.yaml, or two pictures")
    parser.add_argument("--out", type=Path, help="the file to write, .png or .jpg (for two pictures of your own)")
    options = parser.parse_args(arguments)
    own = len(options.pictures) == 2
    if len(options.pictures) > 2 or own != (options.out is not None):
        parser.error("one key of style_transfer, or two pictures and --out picture.png")
    settings = params.load()
    if own:
        paint_own(settings, options.pictures, options.out)
    else:
        paint(settings, options.pictures[0])


def paint(settings: Params, key: str) -> None:
    """Transfers the pictures of a block, and writes its stage's outputs once all is done."""
    spec = settings.experiment("style_transfer", key)
    with timings.stage(f"style_transfer@{key}", settings.scale):
        content, example = opened([spec.content, spec.style], spec.side)
        picture, history, machine = transferred(settings, spec, content, example, key)
        first, last = history.iloc[0], history.iloc[-1]
        about = {"side": spec.side, "steps": int(last["step"]), "style_left": float(last["style"] / first["style"])}
        losses = {name: float(last[name]) for name in style.Losses._fields}
        for name, image in ((key, picture), (f"{key}_content", content), (f"{key}_style", example)):
            save(image, FOLDER / f"{name}.png")
        records.write_csv(FOLDER / f"{key}.csv", history[(history["step"] % EVERY == 0) | (history.index == history.index[-1])])
        records.write_json(Path(f"metrics/style_transfer/{key}.json"), about | losses | machine)
    print(f"{key}: {about['style_left']:.4f} of the style loss is left after {about['steps']} steps")


def paint_own(settings: Params, names: Sequence[str], out: Path) -> None:
    """Transfers two pictures from anywhere with the numbers of the first block."""
    if not settings.style_transfer:
        raise ValueError("params.yaml has no block in style_transfer whose numbers could be used")
    if out.suffix.lower() not in WRITTEN:
        raise ValueError(f"--out {out}: pictures are written as {', '.join(WRITTEN)}")
    if any(Path(name).exists() and out.exists() and out.samefile(name) for name in names):
        raise ValueError(f"--out {out}: would overwrite the picture that is read; give another name")
    key, spec = next(iter(settings.style_transfer.items()))
    content, example = opened(names, spec.side)
    print(f"{names[0]} in the style of {names[1]}, with the numbers of style_transfer.{key}", flush=True)
    picture, _, _ = transferred(settings, spec, content, example, out.stem)
    save(picture, out)
    print(f"{out}: {picture.shape[1]} x {picture.shape[0]} pixels")


def opened(names: Sequence[str], side: int) -> list[np.ndarray]:
    """The pictures at `side` pixels. Raises ValueError with a line for each that cannot be used."""
    images, mistakes = [], []
    for name in names:
        try:
            image = photographs.open_any(name)
        except ValueError as error:
            mistakes.append(str(error))
            continue
        try:
            images.append(style.scaled(image, side))
        except ValueError as error:
            mistakes.append(f"{name}: {error}")
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return images


def transferred(
    settings: Params, spec: StyleTransfer, content: np.ndarray, example: np.ndarray, label: str
) -> tuple[np.ndarray, pd.DataFrame, dict[str, str | int]]:
    """The picture, its losses by step, and what decided their low bits."""
    path = Path(f"models/backbones/{spec.backbone}.keras")
    if not path.is_file():
        raise ValueError(f"{path}: is not there yet; dvc repro fetch@{spec.backbone} makes it")
    # bfloat16's gradients send L-BFGS's line search astray: 1.4 times the evaluations, and a higher loss in the end.
    machine = compute.configure(settings.compute.model_copy(update={"precision": "float32"}))
    return *style.transfer(keras_file.load(path), content, example, spec, label), machine


def save(image: np.ndarray, path: Path) -> None:
    """Writes a picture, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    Image.fromarray(image).save(partial, quality=95)
    os.replace(partial, path)


if __name__ == "__main__":
    command.run(main)
