"""Gather each experiment's few headline metrics into the table that `dvc metrics` shows and compares.

    python -m stages.collect

Reads  params (which experiments there are); metrics/{evaluate,classify,finetune}/*.json, metrics/one_vs_rest.json
Writes metrics/summary/<experiment>.json, one row of the table each
"""

from pathlib import Path

from stages.lib import params, records, timings

METRICS = Path("metrics")


def main() -> None:
    settings = params.load()
    with timings.stage("collect", settings.scale):
        found = {key: records.read_json(METRICS / f"evaluate/{key}.json") for key in settings.train}
        found["one_vs_rest"] = records.read_json(METRICS / "one_vs_rest.json")
        for key in settings.classify:
            record = records.read_json(METRICS / f"classify/{key}.json")
            found |= {f"{key}_{name}": {"accuracy": record[f"accuracy_{name}"]} for name in settings.classifiers}
        found |= {key: records.read_json(METRICS / f"finetune/{key}.json") for key in settings.finetune}
        for name, record in found.items():
            row = {column: record[column] for column in records.HEADLINE if record.get(column) is not None}
            records.write_json(METRICS / f"summary/{name}.json", row)
    print(f"{len(found)} experiments: dvc metrics show")


if __name__ == "__main__":
    params.run(main)
