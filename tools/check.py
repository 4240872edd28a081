"""Check params.yaml and printed.yaml of both pipelines and claims.yaml, and say what is in them. All mistakes are told at once.

    python -m tools.check

Reads  params.yaml, printed.yaml, photos/params.yaml, photos/printed.yaml, claims.yaml
Writes nothing
"""

import contextlib
import os
import sys

from relearn import checks
from relearn.checks import folders
from relearn.claims import schema
from relearn.data import places
from relearn.params.base import ParamsError
from relearn.params.whole import Params
from relearn.process import command
from relearn.report import printed

COUNTED = ("train", "repeat", "finetune", "transfer", "classify")


def main() -> None:
    os.chdir(places.top())
    lines: list[str] = []
    mistakes: list[str] = []
    written: set[str] = set()
    for folder in ("", "photos/"):
        prefix = folder.replace("/", ": ")
        with contextlib.chdir(folder or "."):
            try:
                settings = checks.load()
                lines += [folder + line for line in described(settings)]
            except ParamsError as error:  # one in what both pipelines share is told once
                mistakes += [prefix + line for line in str(error).splitlines() if line not in mistakes]
            else:
                written |= printed.metric_files(settings) | {f"history/{key}" for key in [*settings.train, *settings.transfer]}
                for line in folders.warnings(settings):
                    print(f"warning: {prefix}{line}", file=sys.stderr)
    try:
        lines += claimed(written)
    except ParamsError as error:
        mistakes += str(error).splitlines()
    if mistakes:
        raise ParamsError("\n".join(mistakes))
    print("\n".join(lines))


def described(settings: Params) -> list[str]:
    """What is in the two files of a pipeline. ParamsError with a line for each mistake in printed.yaml."""
    rows = printed.load(settings)
    counts = {name: len(getattr(settings, name)) for name in COUNTED}
    listed = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    lines = [f"params.yaml is valid: scale {settings.scale}, seed {settings.seed}; {listed}; {len(rows)} printed numbers"]
    if left_out := len(printed.read()) - len(rows):
        lines.append(f"printed.yaml: {left_out} numbers have no experiment in params.yaml, and are left out")
    return lines


def claimed(written: set[str]) -> list[str]:
    """A line about claims whose experiments are in neither pipeline, if any. ParamsError with a line for each mistake."""
    claims = schema.read().values()
    files = [{measure.partition(".")[0] for measure in [*claim.first, *(claim.second or [])]} for claim in claims]
    without = sum(not each <= written for each in files)
    return [f"claims.yaml: {without} claims have no experiment in params.yaml, and stay as they are"] if without else []


if __name__ == "__main__":
    command.run(main)
