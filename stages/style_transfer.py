"""Paint one picture in the style of another.

    python -m stages.style_transfer pagoda

Reads  params style_transfer.<key>; models/backbones/<backbone>.keras
Writes plots/style/<key>{,_content,_style}.png, plots/style/<key>.csv, metrics/style_transfer/<key>.json
"""

from pathlib import Path

from relearn import checks
from relearn.data import records
from relearn.painting import style
from relearn.params.reporting import StyleTransfer
from relearn.process import command, timings

FOLDER = Path("plots/style")
EVERY = 5  # steps between two rows of the curve


def main(key: str) -> None:
    settings = checks.load()
    spec: StyleTransfer = settings.experiment("style_transfer", key)
    with timings.stage(f"style_transfer@{key}", settings.scale):
        content, example = style.opened([spec.content, spec.style], spec.side)
        picture, history, machine = style.paint(settings.compute, spec, content, example, key)
        first, last = history.iloc[0], history.iloc[-1]
        about = {"side": spec.side, "steps": int(last["step"]), "style_left": float(last["style"] / first["style"])}
        losses = {name: float(last[name]) for name in style.Losses._fields}
        for name, image in ((key, picture), (f"{key}_content", content), (f"{key}_style", example)):
            style.save(image, FOLDER / f"{name}.png")
        records.write_csv(FOLDER / f"{key}.csv", history[(history["step"] % EVERY == 0) | (history.index == history.index[-1])])
        records.write_json(Path(f"metrics/style_transfer/{key}.json"), about | losses | machine)
    print(f"{key}: {about['style_left']:.4f} of the style loss is left after {about['steps']} steps")


if __name__ == "__main__":
    command.run(main)
