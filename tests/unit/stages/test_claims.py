import json
import shutil

import yaml

from stages import claims
from tests.conftest import ROOT


def test_the_same_results_give_the_same_bytes_and_other_numbers_other_verdicts(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "results/book", tmp_path / "results/book")
    shutil.copy2(ROOT / "claims.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    written = tmp_path / "metrics/claims.json"
    claims.main()
    first = written.read_bytes()
    claims.main()
    assert written.read_bytes() == first
    before = json.loads(first)
    assert list(before) == list(yaml.safe_load((ROOT / "claims.yaml").read_text())["claims"])
    counts = tmp_path / "results/book/seed_14/metrics/evaluate/animal_vehicle.json"
    record = json.loads(counts.read_text())
    counts.write_text(json.dumps(record | {"vehicle_called_animal_truck": record["vehicle_called_animal_airplane"] + 50}))
    claims.main()
    after = json.loads(written.read_text())
    assert after["airplane_most_called_animal"] != before["airplane_most_called_animal"]
    assert after["bird_most_called_vehicle"]["effect"] == before["bird_most_called_vehicle"]["effect"]


def test_dvc_runs_it_again_when_a_number_of_the_books_scale_changes():
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]["claims"]
    assert {"claims.yaml", "results/book"} <= set(stage["deps"])
    assert stage["outs"] == [{"metrics/claims.json": {"cache": False}}]
