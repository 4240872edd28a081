"""How long stages will take at another scale than they ran at: as they took before, else by operations and the bench's rates."""

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from relearn.checks import shapes
from relearn.claims import kept
from relearn.data import processor, records
from relearn.params import whole
from relearn.params.training import Fit, LearningCurve
from relearn.params.whole import Params
from relearn.scheduling import plans
from relearn.training import compute

BENCH = Path("bench/results.json")
TRAINED = Path("metrics/train")
BEFORE, COUNTED, GUESSED = "as they took before", "from their operations", "guessed"
GUESSES = {"classify": 600.0, "style_transfer": 600.0, "augment": 120.0, "tsne": 120.0, "gather": 60.0, "download": 30.0,
           "evaluate": 20.0, "evaluate_head": 20.0, "evaluate_tuned": 20.0}  # fmt: skip
OTHERS = 10.0
TRAININGS = ("train", "repeat", "finetune", "learning_curve", "one_vs_rest")


def measured_on() -> str:
    """The machine behind the bench's rates, or both."""
    bench = json.loads(BENCH.read_text())
    machines = [bench[name]["machine"] for name in ("training", "embedding")]
    return " and ".join(dict.fromkeys(f"{machine['cpu']}, {machine['cores']} cores" for machine in machines))


class Estimate(NamedTuple):
    """Seconds of a stage, and where they come from."""

    seconds: float
    source: str


def of_stages(names: Iterable[str], scale: str, before: Mapping[str, float]) -> dict[str, Estimate]:
    """For each stage, as `dvc repro` takes it at the top: seconds `before` where it ran, else counted, else guessed."""
    rates = Rates(scale)
    counters: dict[str, Callable[[str], float | None]] = {
        "tune": rates.tuning, "embed": rates.embedding, "head": rates.head, "tuned": rates.tuned,
        **{kind: partial(rates.training, kind) for kind in TRAININGS},
    }  # fmt: skip
    found = {}
    for name in names:
        kind, _, key = name.rpartition(":")[2].partition("@")
        counted = counters[kind](key) if kind in counters and name not in before else None
        if name in before:
            found[name] = Estimate(before[name], BEFORE)
        elif counted is not None:
            found[name] = Estimate(OTHERS + counted, COUNTED)
        else:
            found[name] = Estimate(GUESSES.get(kind, OTHERS), GUESSED)
    return found


class Rates:
    """What bench/results.json measured, for trainings at `scale` on this machine."""

    def __init__(self, scale: str) -> None:
        bench = json.loads(BENCH.read_text())
        self.settings, self.photos = kept.at_scale(Path(), scale), kept.at_scale(Path("photos"), scale)
        self.measured_at = kept.at_scale(Path(), whole.read()["scale"])  # of metrics/train
        training, embedding = bench["training"], bench["embedding"]
        cores = processor.cores() / training["machine"]["cores"]
        peaks = training["peak_tflops"]
        precision = compute.precision(self.settings.compute)
        precision = precision if precision in peaks else "float32"
        self.speeds = {  # operations a second
            self.settings.train[key].net: cores * figures["images_per_second"][precision] * figures["operations_per_image"]
            for key, figures in training.items() if key in self.settings.train
        }  # fmt: skip
        cores = processor.cores() / embedding["machine"]["cores"]
        self.backbone = cores * embedding["images_per_second"]["ours"] / embedding["side"] ** -2  # pixels a second

    def training(self, kind: str, key: str) -> float | None:
        """Seconds of a training, or of all of a stage that has several."""
        if (found := plans.trainings(kind, key, self.settings)) is None:
            return None
        spec, runs = found
        if (per_image := self.operations(spec.net, self.side(self.settings, spec))) is None:
            return None
        images = sum(spec.counts) / len(spec.counts) if isinstance(spec, LearningCurve) else self.images(spec)
        return float(images * spec.epochs * runs * per_image / self.speed(spec.net))

    def tuning(self, key: str) -> float | None:
        """Seconds of a grid search, whose heads take about as much as the one of R3."""
        found, head = plans.trainings("tune", key, self.settings), self.settings.train.get("head_rmsprop")
        if found is None or head is None:
            return None
        spec, runs = found
        return float((self.training("train", "head_rmsprop") or 0.0) * runs * spec.epochs / head.epochs)

    def embedding(self, key: str) -> float:
        """Seconds of a backbone or a network on all images, once."""
        if key in self.settings.embed:
            spec = self.settings.embed[key]
            images = sum(shapes.images_in(self.settings, f"embeddings/{key}", split) or 0 for split in ("train", "test"))
            return images * (spec.side or 32) ** 2 / self.backbone
        return self.photographs(key) * self.photos.datasets[key].side ** 2 / self.backbone

    def head(self, key: str) -> float:
        """Seconds of the first phase: the backbone runs once, or for each epoch's changed copies."""
        spec = self.photos.transfer[f"{key}_head"]
        passes = spec.copies or (spec.epochs if spec.augmentation else 1)
        return self.photographs(key) * passes * self.photos.datasets[key].side ** 2 / self.backbone

    def tuned(self, key: str) -> float:
        """Seconds of the second phase: forward through all layers, back through some."""
        epochs = self.photos.transfer[f"{key}_tuned"].epochs
        return 2 * self.photographs(key) * epochs * self.photos.datasets[key].side ** 2 / self.backbone

    def photographs(self, key: str) -> int:
        """How many photographs a data set has at most, as far as its block says."""
        spec = self.photos.datasets[key]
        return (spec.limit or 1000) * len(spec.classes or ["cat", "dog"])

    def images(self, spec: Fit) -> int:
        """How many images a training has an epoch."""
        view = self.settings.relabel[spec.labels]
        there = view.train_images or shapes.images_in(self.settings, spec.images, "train") or 0
        return round(there * (1 - spec.holdout))

    def side(self, settings: Params, spec: Fit) -> int:
        """Height and width of the images that a network sees; of an embedding those of the images embedded."""
        if spec.images.startswith("embeddings/"):
            return settings.embed[spec.images.removeprefix("embeddings/")].side or 32
        return spec.side or shapes.view_side(settings, spec.labels) or 32

    def operations(self, net: str, side: int) -> float | None:
        """Operations of an image in training, from the training in metrics/ with this net on images of about this side."""
        sides = {
            key: self.side(self.measured_at, spec)
            for key, spec in self.measured_at.train.items()
            if spec.net == net and (TRAINED / f"{key}.json").is_file()
        }
        if not sides:
            return None
        key = min(sides, key=lambda key: abs(sides[key] - side))
        record = records.read_json(TRAINED / f"{key}.json")
        return float(record["petaflop"] * 1e15 / record["images"] / record["epochs"] * (side / sides[key]) ** 2)

    def speed(self, net: str) -> float:
        """Operations a second: of the net where the bench has it, else of the slowest of its nets."""
        return self.speeds.get(net) or min(self.speeds.values())
