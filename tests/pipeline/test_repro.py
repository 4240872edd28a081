"""The pipeline as its users run it, and its report in a browser. One file: pytest-xdist gives a file to one worker."""

import json
import os
import re
import shutil

import pandas as pd
import pytest
import yaml

from tests.support import clones


def ran(output: str) -> list[str]:
    """Names of the stages that a `dvc repro` or `dvc exp run` ran."""
    return re.findall(r"^Running stage '([^']+)':", output, re.MULTILINE)


def began(output: str) -> list[str]:
    """Names of the stages that `make repro` began."""
    return re.findall(r"^\S+  (\S+) begins$", output, re.MULTILINE)


def settings(clone):
    return yaml.safe_load((clone.folder / "params.yaml").read_text())


def test_one_command_runs_every_stage(smoke):
    stages = smoke.run("dvc", "stage", "list", "--name-only").stdout.split()
    assert sorted(began(smoke.first("dvc.yaml").read_text())) == sorted(stages)
    raw = settings(smoke)
    for key in raw["train"]:
        metrics = json.loads((smoke.folder / f"metrics/evaluate/{key}.json").read_text())
        assert 0 <= metrics["accuracy"] <= 1
    views = json.loads((smoke.folder / "metrics/evaluate/fast94.json").read_text())
    assert 0 <= views["accuracy_of_one_view"] <= 1
    for key, spec in {**raw["repeat"], **raw["finetune"]}.items():
        metrics = json.loads((smoke.folder / f"metrics/finetune/{key}.json").read_text())
        repeats = pd.read_csv(smoke.folder / f"plots/finetune/{key}.csv")
        assert len(repeats) == metrics["repeats"] == (raw["protocols"][spec["protocol"]] | spec)["repeats"]["smoke"]
        assert repeats["seed"].is_unique
        assert metrics["accuracy"] == pytest.approx(repeats["accuracy"].mean(), abs=1e-6)
    printed = [row["metric"] for row in yaml.safe_load((smoke.folder / "printed.yaml").read_text())["rows"]]
    results = json.loads((smoke.folder / "reports/smoke/results.json").read_text())
    there = [name for name in printed if (smoke.folder / "metrics" / f"{name.rpartition('.')[0]}.json").is_file()]
    assert [row["metric"] for row in results["rows"]] == there
    assert len(there) > 60


def test_stages_side_by_side_leave_the_lock_file_in_the_order_of_dvc_repro(smoke):
    """test_kills compares what is in it with what `dvc repro` writes. Of photographs DVC's own order is not always the same."""
    assert list(clones.lock(smoke.folder)) == ran(smoke.run("dvc", "repro", "--dry", "--force", "dvc.yaml").stdout)


def test_parameter_counts_of_trained_networks_are_the_chapters(smoke):
    counts = {key: json.loads((smoke.folder / f"metrics/train/{key}.json").read_text()) for key in settings(smoke)["train"]}
    assert counts["multiclass"]["parameters"] == 1_626_442
    assert counts["lenet"]["parameters"] == 431_080
    assert (counts["multiclass"]["precision"], counts["multiclass"]["kernels"]) == ("float32", "avx2")


def test_a_second_run_does_nothing(smoke):
    assert ran(smoke.run("dvc", "repro").stdout) == []
    assert smoke.run("dvc", "status", "-q", check=False).returncode == 0
    assert smoke.run("dvc", "metrics", "diff").stdout.strip() == ""


def test_git_gets_only_metrics_plots_and_reports(smoke):
    listed = smoke.run("git", "ls-files").stdout.split()
    listed = [name for name in listed if not name.startswith(("docs/", "bench/", "results/"))]
    outputs = [name for name in listed if name.endswith((".npy", ".keras", ".npz", ".index", ".csv", ".png", ".json", ".jpg"))]
    places = {"metrics", "plots", "reports"}
    assert {name.rpartition("/")[0].removeprefix("photos/").split("/")[0] for name in outputs} == places
    assert [name for name in outputs if name.startswith(("photos/plots/evaluate/", "photos/plots/gather/"))] == []
    assert smoke.run("git", "status", "--porcelain").stdout == ""


def test_metrics_and_plots_are_shown_in_tables_that_people_read(smoke):
    shown = smoke.run("dvc", "metrics", "show", "--json").stdout
    rows = json.loads(shown)[""]["data"]
    raw = settings(smoke)
    names = [*raw["train"], "one_vs_rest", *raw["repeat"], *raw["finetune"], *raw["tune"]]
    names += [f"learning_curve_{key}" for key in raw["learning_curve"]]
    names += [f"{key}_{name}" for key, spec in raw["classify"].items() for name in spec["classifiers"]]
    of_photos = ("my_photos_head", "my_photos_tuned", "my_photos_probe_logistic_regression")
    tables = [f"metrics/summary/{name}.json" for name in names] + [f"photos/metrics/summary/{name}.json" for name in of_photos]
    assert sorted(rows) == sorted(tables)
    assert set().union(*(row["data"] for row in rows.values())) <= {
        "accuracy", "loss", "holdout_accuracy", "standard_error", "auc", "mcc", "mcnemar_p",
    }  # fmt: skip
    plots = json.loads(smoke.run("dvc", "plots", "show", "--json").stdout)
    assert not plots.get("errors")
    assert "LeNet and a dense net on MNIST" in plots["data"]
    assert "plots/confusion/multiclass.csv" in " ".join(plots["data"])


def test_an_experiment_reruns_its_own_chain_and_the_diff_shows_just_that(smoke):
    done = smoke.run("dvc", "exp", "run", "-S", "train.lenet.optimizer.learning_rate=0.002")
    assert ran(done.stdout) == ["train@lenet", "evaluate@lenet", "collect", "report"]
    changed = json.loads(smoke.run("dvc", "metrics", "diff", "--json").stdout)
    assert set(changed) == {"metrics/summary/lenet.json"}
    params = json.loads(smoke.run("dvc", "params", "diff", "--json").stdout)
    assert list(params["params.yaml"]) == ["train.lenet.optimizer.learning_rate"]
    assert "# the published code shuffles unseeded" in (smoke.folder / "params.yaml").read_text()
    smoke.run("git", "checkout", "-q", ".")
    smoke.run("dvc", "checkout", "-q")
    assert ran(smoke.run("dvc", "repro").stdout) == []


def test_a_mistake_in_the_parameters_stops_before_anything_is_lost(smoke):
    path = smoke.folder / "params.yaml"
    text = path.read_text()
    path.write_text(text.replace("name: adam, learning_rate: 0.001", "name: adamm, learning_rate: 0.001", 1))
    done = smoke.run("dvc", "repro", "train@lenet", check=False)
    path.write_text(text)
    assert done.returncode != 0
    assert "train.lenet.optimizer.name: 'adamm' is none of adadelta, adam, rmsprop, sgd" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    smoke.run("git", "checkout", "-q", "metrics", "plots")
    smoke.run("dvc", "checkout", "-q")
    assert ran(smoke.run("dvc", "repro").stdout) == []


def test_a_truck_is_named_a_moving_van_as_in_the_book(smoke):
    answers = json.loads((smoke.folder / "plots/predict/photographs.json").read_text())
    best = {answer["file"]: answer["top"][0]["name"] for answer in answers}
    assert best["cifar10:train:1"] == "moving van"
    assert best["skimage:chelsea"] in ("Egyptian cat", "tabby", "tiger cat")


def test_the_data_are_those_that_the_book_looks_at(smoke):
    metrics = json.loads((smoke.folder / "metrics/describe/first_2000.json").read_text())
    assert metrics["first_labels"] == "6 9 9 4 1 1 2 7 8 3"
    assert [value for name, value in metrics.items() if name.startswith("test_")] == [
        196,
        198,
        195,
        199,
        198,
        185,
        216,
        193,
        217,
        203,
    ]


def test_the_table_and_the_results_come_out_again(smoke):
    before = (smoke.folder / "dvc.lock").read_bytes()
    smoke.run("dvc", "repro", "-f", "-s", "collect", "report")
    assert (smoke.folder / "dvc.lock").read_bytes() == before


def test_a_place_that_cannot_be_written_is_a_clear_error(smoke, tmp_path):
    """A file lies where the folder data/ should be: that stops root, too."""
    (tmp_path / "params.yaml").write_text((smoke.folder / "params.yaml").read_text())
    (tmp_path / "data").write_text("in the way")
    done = smoke.run("env", "-C", str(tmp_path), "python", "-m", "stages.download", "mnist", check=False)
    assert done.returncode == 1
    assert "error: [Errno 20] Not a directory: 'data/mnist'" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "data").read_text() == "in the way"


BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]

CUT_OFF = """[...document.querySelectorAll('svg')].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    return [...svg.querySelectorAll('text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.left < frame.left || box.right > frame.right || box.top < frame.top || box.bottom > frame.bottom;
    }).map(text => text.textContent);
})"""  # words of figures that end outside of them
COVERED = """[...document.querySelectorAll('svg g[id^=legend]')].flatMap(legend => {
    const box = legend.getBoundingClientRect();
    const axes = legend.closest('g[id^=axes]').querySelector('g[id^=patch]').getBoundingClientRect();
    const apart = box.bottom <= axes.top + 1 || box.top >= axes.bottom - 1 || box.left >= axes.right - 1;
    return apart ? [] : [legend.textContent.trim()];
})"""  # legends that lie on the lines of their figure


@pytest.mark.skipif(BROWSER is None and not os.environ.get("CI"), reason="no Chromium on the PATH")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_opens_whole_and_asks_nothing_of_a_network(smoke, width, scheme):
    from playwright.sync_api import sync_playwright

    page_file = smoke.folder / "reports/smoke/index.html"
    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda request: complaints.append(request.url) if not request.url.startswith("data:") else None)
        page.goto(page_file.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        broken = page.evaluate("[...document.images].filter(i => !i.complete || i.naturalWidth == 0).length")
        pictures = page.evaluate("document.images.length")
        drawings = page.evaluate("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().height)")
        ink, ground = page.evaluate("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        cut_off, covered = page.evaluate(CUT_OFF), page.evaluate(COVERED)
        text = page.inner_text("body")
        browser.close()
    assert complaints == [page_file.as_uri()]
    assert broken == 0
    assert pictures >= 1 + 16 + 1
    assert len(drawings) >= 15
    assert min(drawings) > 100
    assert overflow <= 0
    assert cut_off == []
    assert covered == []
    assert (sum(map(int, ink[4:-1].split(","))) > 384) == (scheme == "dark")
    assert (sum(map(int, ground[4:-1].split(","))) > 384) == (scheme == "light")
    for expected in ("printed\tours", "scale smoke", "K7", "McNemar", "Run time", "called vehicle", "seconds"):
        assert expected in text
