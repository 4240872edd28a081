"""params.yaml, checked as a whole before anything is computed.

Every stage calls `load()`. An unknown key or a bad value ends it with one line per mistake, naming the key, the value
and what is allowed.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from relearn.checks import blocks, references, wording
from relearn.params import whole
from relearn.params.base import SCALES, ParamsError
from relearn.params.whole import Params


def load(path: Path = whole.FILE) -> Params:
    """The parameters at the scale in force, checked at every scale. Raises ParamsError with a line for each mistake."""
    try:
        raw = whole.read(path)
    except (OSError, YAMLError) as error:
        raise ParamsError(wording.of_file(path, error)) from error
    if not isinstance(raw, dict) or raw.get("scale") not in SCALES:
        value = raw.get("scale") if isinstance(raw, dict) else raw
        raise ParamsError(f"scale: {value!r} is none of {', '.join(SCALES)}")
    checked = {scale: _checked(raw, scale) for scale in dict.fromkeys((raw["scale"], *SCALES))}
    if (commit := os.environ.get("DVC_EXP_BASELINE_REV")) and _written_anew(path, commit):
        print(f"warning: {path}: this experiment has the values of its commit, though -S wrote the file anew: a map is merged, "
              "not replaced, and ~ removes a key (docs/experiments.md)", file=sys.stderr)  # fmt: skip
    return checked[raw["scale"]]


def _checked(raw: Mapping[str, Any], scale: str) -> Params:
    where = "" if scale == raw["scale"] else f"at scale {scale}: "
    values = whole.resolved(raw, scale)
    try:
        written = Params.model_validate(values)
    except ValidationError as error:
        unknown = references.protocols(values)
        lines = [*unknown, *(wording.of_mistake(problem, Params) for problem in error.errors())]
        mistakes = [line for line in dict.fromkeys(lines) if not _missing_from_protocol(line, unknown)]
        raise ParamsError("\n".join(where + line for line in mistakes)) from error
    params = whole.with_recipes(written)
    if mistakes := [*blocks.mistakes(written), *references.mistakes(params)]:
        raise ParamsError("\n".join(where + line for line in dict.fromkeys(mistakes)))
    return params


def _missing_from_protocol(line: str, unknown: list[str]) -> bool:
    """Whether a key is missing only because its block names a protocol that is not there."""
    return line.endswith(": is missing") and line.rpartition(".")[0] in {other.rpartition(".protocol:")[0] for other in unknown}


def _written_anew(path: Path, commit: str) -> bool:
    """Whether the file has another text than in `commit`, and the same values: what -S leaves that changed nothing."""
    asked = ["git", "-C", str(path.parent), "show", f"{commit}:./{path.name}"]
    committed = subprocess.run(asked, capture_output=True, text=True, check=False)
    here = path.read_text()
    if committed.returncode or here == committed.stdout:
        return False
    yaml = YAML(typ="safe", pure=True)
    return bool(yaml.load(here) == yaml.load(committed.stdout))
