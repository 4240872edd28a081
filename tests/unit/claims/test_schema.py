import contextlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from relearn import checks
from relearn.claims import schema
from relearn.claims.judging import verdicts
from relearn.params.base import ParamsError
from relearn.report import printed
from tests.conftest import ROOT

CLAIMS = schema.read(ROOT / schema.FILE)
MEASURES = sorted({measure for claim in CLAIMS.values() for measure in [*claim.first, *(claim.second or [])]})
WHOLE = {"chapter": "K1", "claim": "x", "where": "y", "first": "evaluate/a.accuracy", "says": "above"}


@pytest.mark.parametrize(("fields", "message"), [
    ({"secnd": "evaluate/b.accuracy"}, r"claims\.it\.secnd: unknown key; did you mean second\? allowed here: chapter, claim, "),
    ({"says": "over"}, r"claims\.it\.says: 'over' is none of above, below, within$"),
    ({"first": "accuracy"}, r"claims\.it\.first\.0: 'accuracy' is not allowed: string should match"),
    ({"first": []}, r"claims\.it\.first: \[\] is not allowed: value should have at least 1 item"),
    ({"where": None}, r"claims\.it\.where: None is not allowed"),
    ({"images": 0}, r"claims\.it\.images: 0 is not allowed"),
    ({"margin": -0.1}, r"claims\.it\.margin: -0\.1 is not allowed"),
    ({"says": "within"}, r"claims\.it: margin: 0\.0 is not allowed: `within` needs one above 0"),
    ({"first": ["a.b"] * 3, "second": ["a.b"] * 2}, r"claims\.it: first has 3 and second 2 measures: as many,"),
    ({"first": "history/a.loss"}, r"claims\.it: 'history/a\.loss' is not allowed: a curve, and only a curve, has epochs"),
    ({"first": "evaluate/a.loss[1]"}, r"claims\.it: 'evaluate/a\.loss\[1\]' is not allowed: a curve, and only a curve, has"),
    ({"curve": "slope"}, r"claims\.it: curve: 'slope' is not allowed: only history/ has curves"),
    ({"confused": ["3 as 5"], "second": "a.b"}, r"claims\.it: confused: needs one table as first, and no second"),
])  # fmt: skip
def test_a_mistake_in_the_claims_is_told_with_key_value_and_what_is_allowed(tmp_path: Path, fields, message):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": {"it": WHOLE | fields}}))
    with pytest.raises(ParamsError, match=message):
        schema.read(path)


@pytest.mark.parametrize(("text", "message"), [
    ("claims: {it: {chapter: K1}}", r"claims\.yaml: claims\.it\.claim: is missing"),
    ("claims:\n  it: {chapter: K1\n", r"claims\.yaml, line 3, column 1: .*: close the bracket"),
    (f"claims: {{'a claim': {json.dumps(WHOLE)}}}", r"claims\.yaml: claims\.a claim: 'a claim' is no name"),
])  # fmt: skip
def test_a_broken_file_is_told(tmp_path: Path, text, message):
    (tmp_path / "claims.yaml").write_text(text)
    with pytest.raises(ParamsError, match=message):
        schema.read(tmp_path / "claims.yaml")


@pytest.mark.parametrize(("fields", "share"), [
    ({}, True),
    ({"first": "train/a.loss"}, False),
    ({"first": "history/a.val_loss[2]"}, False),
    ({"first": "history/a.val_error[2:9]", "curve": "step"}, True),
    ({"first": "history/a.val_error[2:9]", "curve": "slope"}, False),
])  # fmt: skip
def test_losses_and_slopes_are_no_shares(fields, share):
    assert schema.Claim.model_validate(WHOLE | fields).share == share


def test_one_measure_stands_for_all():
    claim = schema.Claim.model_validate(WHOLE | {"second": ["evaluate/b.accuracy", "evaluate/c.accuracy"]})
    assert claim.pairs == [("evaluate/a.accuracy", "evaluate/b.accuracy"), ("evaluate/a.accuracy", "evaluate/c.accuracy")]


@pytest.fixture(scope="module")
def writers() -> dict[str, Path]:
    """The folder of the pipeline that writes each file, by the file as measures name it."""
    known: dict[str, Path] = {}
    for folder in (ROOT, ROOT / "photos"):
        with contextlib.chdir(folder):
            settings = checks.load()
        histories = {f"history/{key}" for key in [*settings.train, *settings.transfer]}
        known |= dict.fromkeys(printed.metric_files(settings) | histories, folder)
    return known


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_of_the_claims_is_one_that_the_pipelines_write(measure, writers):
    """Files by params.yaml; fields and columns by what scale quick wrote into git."""
    file, _, column = measure.partition("[")[0].rpartition(".")
    metrics, plots = (writers[file] / f"{kind}/{file}" for kind in ("metrics", "plots"))
    if file.startswith("history/"):
        assert column in pd.read_csv(f"{plots}.csv")
    elif any(claim.confused and measure in claim.first for claim in CLAIMS.values()):
        assert column in set(pd.read_csv(f"{plots}.csv")["classifier"])
    else:
        assert column in json.loads(Path(f"{metrics}.json").read_text())


def test_epochs_of_the_claims_are_among_those_of_scale_book():
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    photos = yaml.safe_load((ROOT / "photos/params.yaml").read_text())
    ends: dict[str, int] = {}
    for measure in MEASURES:
        if match := re.fullmatch(r"history/(\w+)\.\w+\[(?:\d+:)?(\d+)\]", measure):
            ends[match[1]] = max(int(match[2]), ends.get(match[1], 0))
    assert ends
    for key, last in ends.items():
        block = raw.get(key) or photos["recipes"][photos["datasets"][key.removesuffix("_head")]["recipe"]]["head"]
        assert last <= block["epochs"]["book"], key


def test_every_chapter_of_the_claims_is_an_id_of_the_printed_numbers():
    rows = [row for path in ("", "photos/") for row in printed.read(ROOT / f"{path}printed.yaml")]
    assert {claim.chapter for claim in CLAIMS.values()} <= {row.id for row in rows}


@pytest.mark.parametrize("seeds", [[14], [14, 15, 16]])
def test_every_claim_has_a_verdict_when_everything_was_run(results, seeds):
    """With made-up numbers; of repeats as `finetune` and `learning_curve` write them."""
    random = np.random.default_rng(3)
    for seed in seeds:
        records: dict[str, dict[str, float]] = {}
        for measure in MEASURES:
            file, _, column = measure.partition("[")[0].rpartition(".")
            kind, share = file.partition("/")[0], round(float(random.uniform(0.4, 0.9)), 6)
            repeats = [f"{repeat},{random.uniform(0.4, 0.9):.4f},{random.uniform(0.4, 0.6):.4f}" for repeat in range(1, 7)]
            if kind == "history":
                values = random.uniform(0.1, 0.9, (60, 3))
                rows = (f"{epoch},{','.join(map(str, each))}" for epoch, each in enumerate(values, 1))
                results.table(seed, file, "epoch,loss,val_error,val_accuracy", *rows)
            elif kind == "finetune":
                results.table(seed, file, "repeat,accuracy,accuracy_before", *repeats)
                records.setdefault(file, {"repeats": 6})[column] = share
            elif kind == "learning_curve":
                rows = (f"{count},{row}" for count in (5900, 3000, 1800, 600, 300) for row in repeats)
                results.table(seed, file, "images,repeat,accuracy,other", *rows)
                records.setdefault(file, {"repeats": 6})[column] = share
            else:
                record = records.setdefault(file, {"images": 2000, "test_images": 2000})
                record[column] = share if "accuracy" in column else int(1000 * share)
        for file, record in records.items():
            results.metrics(seed, file, **record)
        digits = [f"random_forest,{a},{b},{random.uniform(0, 5):.4f}" for a in range(10) for b in range(10)]
        results.table(seed, "classify/embedded", "classifier,actual,predicted,percent", *digits)
    found = verdicts(results.folder, ROOT / schema.FILE)
    assert [verdict.id for verdict in found if verdict.verdict == "not yet run"] == []
    assert len(found) == len(CLAIMS)
    units = {verdict.unit for verdict in found}
    assert units == ({"trainings"} if len(seeds) > 1 else {"trainings", "images"})
    of_curves = [verdict for verdict in found if CLAIMS[verdict.id].family == "K1 curves"]
    assert of_curves
    assert [verdict.verdict for verdict in of_curves if verdict.p is None] == ["undecided"] * (len(of_curves) * (len(seeds) == 1))
