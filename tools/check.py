"""Check params.yaml and printed.yaml as a whole, and say what is in them.

python -m tools.check
"""

from pathlib import Path

from relearn import checks
from relearn.params.base import ParamsError
from relearn.process import command
from relearn.report import printed


def main() -> None:
    settings = checks.load()
    rows = printed.load(settings)
    if left_out := len(printed.read()) - len(rows):
        print(f"printed.yaml: {left_out} numbers have no experiment in params.yaml, and are left out")
    fetched = {f"data/archives/{key}" for key in settings.archives}
    missing = [key for key, photos in settings.datasets.items() if photos.folder not in fetched | {*_there(photos.folder)}]
    if missing:
        lines = [f"datasets.{key}.folder: {settings.datasets[key].folder!r}: no such folder or archive" for key in missing]
        raise ParamsError("\n".join([*lines, "write the whole path (~ is not understood)"]))
    counts = {name: len(getattr(settings, name)) for name in ("train", "finetune", "transfer", "classify")}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items())
    print(f"params.yaml is valid: scale {settings.scale}, seed {settings.seed}; {listed}; {len(rows)} printed numbers")


def _there(folder: str) -> list[str]:
    """`folder` itself when it exists."""
    return [folder] if Path(folder).exists() else []


if __name__ == "__main__":
    command.run(main)
