"""Check params.yaml and printed.yaml as a whole, and say what is in them.

python -m stages.check
"""

from stages.lib import params


def main() -> None:
    settings = params.load()
    rows = params.load_printed(settings)
    counts = {name: len(getattr(settings, name)) for name in ("train", "finetune", "classify", "tsne")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"params.yaml is valid: scale {settings.scale}, seed {settings.seed}; {listed}; {len(rows)} printed numbers")


if __name__ == "__main__":
    params.run(main)
