"""Gather each experiment's few headline metrics into the table that `dvc metrics` shows and compares.

    python -m stages.collect

Reads  params (which experiments there are); metrics/*/*.json, metrics/one_vs_rest.json
Writes metrics/summary/<experiment>.json, one row of the table each
"""

from pathlib import Path

from relearn import checks
from relearn.data import records
from relearn.params.whole import Params
from relearn.process import command, timings

METRICS = Path("metrics")


def main() -> None:
    settings = checks.load()
    with timings.stage("collect", settings.scale):
        for name, file in sources(settings).items():
            record = records.read_json(METRICS / f"{file}.json")
            if file == f"evaluate/{name}" and name in settings.train and settings.train[name].holdout:  # of which no image may be
                record["holdout_accuracy"] = records.read_json(METRICS / f"train/{name}.json").get("val_accuracy")
            row = {column: record[column] for column in records.HEADLINE if record.get(column) is not None}
            records.write_json(METRICS / f"summary/{name}.json", row)
        for key, spec in settings.classify.items():
            record = records.read_json(METRICS / f"classify/{key}.json")
            for name in spec.classifiers:
                records.write_json(METRICS / f"summary/{key}_{name}.json", {"accuracy": record[f"accuracy_{name}"]})
    print(f"{len(list(METRICS.glob('summary/*.json')))} experiments: dvc metrics show")


def sources(settings: Params) -> dict[str, str]:
    """The file under metrics/ that each row of the table is taken from."""
    files = {key: f"evaluate/{key}" for key in [*settings.train, *settings.transfer]}
    if settings.one_vs_rest:
        files["one_vs_rest"] = "one_vs_rest"
    files |= {f"learning_curve_{key}": f"learning_curve/{key}" for key in settings.learning_curve}
    files |= {key: f"tune/{key}" for key in settings.tune}
    return files | {key: f"finetune/{key}" for key in [*settings.repeat, *settings.finetune]}


if __name__ == "__main__":
    command.run(main)
