"""Paint a picture of yours in the style of another, with the numbers of the first block of style_transfer in params.yaml.

    python -m tools.style_transfer my_content.jpg my_style.jpg --out picture.png

Reads  params style_transfer; models/backbones/<backbone>.keras; both pictures: files, skimage:<name>, sklearn:<name>
Writes the file that --out names, .png or .jpg
"""

from pathlib import Path

from relearn import checks
from relearn.painting import style
from relearn.process import command

WRITTEN = (".png", ".jpg", ".jpeg")


def main(arguments: list[str] | None = None) -> None:
    parser = command.parser("content", "style")
    parser.add_argument("--out", type=command.path, required=True, help="the file to write, .png or .jpg")
    options = parser.parse_args(arguments)
    with command.told():
        paint([str(command.path(name)) for name in (options.content, options.style)], options.out)


def paint(names: list[str], out: Path) -> None:
    """Writes content `names[0]` in the style of `names[1]` to `out`. ValueError when that cannot be done."""
    settings = checks.load()
    if not settings.style_transfer:
        raise ValueError("params.yaml has no block in style_transfer whose numbers could be used")
    if out.suffix.lower() not in WRITTEN:
        raise ValueError(f"--out {out}: pictures are written as {', '.join(WRITTEN)}")
    if any(Path(name).exists() and out.exists() and out.samefile(name) for name in names):
        raise ValueError(f"--out {out}: would overwrite the picture that is read; give another name")
    key, spec = next(iter(settings.style_transfer.items()))
    content, example = style.opened(names, spec.side)
    print(f"{names[0]} in the style of {names[1]}, with the numbers of style_transfer.{key}", flush=True)
    picture, _, _ = style.paint(settings.compute, spec, content, example, out.stem)
    style.save(picture, out)
    print(f"{out}: {picture.shape[1]} x {picture.shape[0]} pixels")


if __name__ == "__main__":
    main()
