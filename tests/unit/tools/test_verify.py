"""What `make verify` compares, and what it says of outputs that differ."""

import json
import subprocess

import pytest
from ruamel.yaml import YAML

from tools import verify

LOCK = {
    "train@a": {"models/a.keras": "1", "metrics/train/a.json": "2"},
    "photos/dvc.yaml:train@b": {"photos/models/b.keras": "3"},
}
TEXT = "schema: '2.0'\nstages:\n  train@{0}:\n    cmd: x\n    outs:\n"
OUT = "    - path: {0}\n      hash: md5\n      md5: '{1}'\n      size: 5\n"


def test_the_locks_of_both_pipelines_are_read_with_stages_and_paths_as_seen_from_the_top(tmp_path):
    for folder in ("photos", ".state"):
        (tmp_path / folder).mkdir()
    (tmp_path / ".state/dvc.lock").write_text(TEXT.format("before") + OUT.format("models/before.keras", 0))
    (tmp_path / "dvc.lock").write_text(TEXT.format("a") + OUT.format("models/a.keras", 1) + OUT.format("metrics/train/a.json", 2))
    (tmp_path / "photos/dvc.lock").write_text(TEXT.format("b") + OUT.format("models/b.keras", 3))
    assert verify.lock(tmp_path) == LOCK


def test_outputs_are_compared_one_by_one():
    again = {"train@a": {"models/a.keras": "1", "metrics/train/a.json": "9"}}
    assert verify.compare(LOCK, again) == (1, ["metrics/train/a.json"])
    assert verify.compare(LOCK, LOCK) == (3, [])
    assert verify.compare({}, {"train@b": {"models/b.keras": "3"}}) == (0, ["models/b.keras"])


def test_a_parameter_is_set_by_its_path_and_an_unknown_one_is_an_error(tmp_path):
    (tmp_path / "params.yaml").write_text("compute: {threads: auto}\nseed: 14\n")
    verify.change(tmp_path / "params.yaml", ["compute.threads=1", "seed=15"])
    assert YAML(typ="safe").load(tmp_path / "params.yaml") == {"compute": {"threads": 1}, "seed": 15}
    for key in ("compute.thread", "seed.x"):
        with pytest.raises(ValueError, match=f"params.yaml has no {key}$"):
            verify.change(tmp_path / "params.yaml", [f"{key}=1"])


def test_metrics_that_differ_are_shown_side_by_side(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("metrics/x.json", "photos/metrics/x.json", "reports/x.json"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(json.dumps({"accuracy": 0.6, "auc": 0.9, "loss": 1.0}))
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "-qm", "a"]):
        subprocess.run(["git", *command], check=True)
    for name in ("metrics/x.json", "photos/metrics/x.json", "metrics/new.json"):
        (tmp_path / name).write_text(json.dumps({"accuracy": 0.7, "auc": 0.9}))
    differing = ["accuracy: 0.6 committed, 0.7 here", "loss: 1.0 committed, None here"]
    assert list(verify.by_how_much(tmp_path, "metrics/x.json")) == differing
    assert list(verify.by_how_much(tmp_path, "photos/metrics/x.json")) == differing
    for other in ("reports/x.json", "models/x.keras", "metrics/new.json"):
        assert list(verify.by_how_much(tmp_path, other)) == []
