"""Check params.yaml and printed.yaml as a whole, and say what is in them.

python -m stages.check
"""

from stages.lib import params


def main() -> None:
    settings = params.load()
    rows = params.load_printed(settings)
    for row in params.read_printed():
        if row not in rows:
            print(f"printed.yaml: {row.metric}: no experiment of params.yaml writes it, left out")
    counts = {name: len(getattr(settings, name)) for name in ("train", "finetune", "classify", "tsne")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"params.yaml is valid: scale {settings.scale}, seed {settings.seed}; {listed}; {len(rows)} printed numbers")


if __name__ == "__main__":
    params.run(main)
