"""What `make bench` computes from what it measures, and the ways in which it measures."""

import contextlib
import json
import os
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from bench import __main__ as bench_main
from bench import accuracy, augmentation, embedding, features, kernels, overhead, pipeline, repeats, table, threads, training
from bench.lib import chapters, machine, rows, trials, workplaces
from bench.lib import ours as epochs
from bench.lib.trials import Way
from relearn import checks
from relearn.data import pins, processor, records
from relearn.data.arrays import Split
from relearn.networks import nets
from relearn.networks.engine import keras
from relearn.process import atomic, timings
from relearn.scheduling import keeping
from relearn.sources import augmentation as ours
from relearn.training import compute
from tests.conftest import ROOT
from tests.unit.bench import works

RATIO = {"median": 2.0, "lowest": 1.5, "highest": 2.5}
NET = {
    "images_per_second": {"chapter": 500.0, "bfloat16": 1000.0, "float32": 600.0},
    "times_chapter": {"bfloat16": RATIO, "float32": {"median": 1.2, "lowest": 1.1, "highest": 1.3}},
    "times_fastest": {"bfloat16": 1.4, "float32": 0.9},
    "cores": {"chapter": 1.0, "bfloat16": 2.0, "float32": 2.0},
    "operations_per_image": 100_000_000,
    "share_of_peak": {"bfloat16": 0.5, "float32": 0.6},
}
FROZEN = {
    "epochs": 20,
    "seconds": {"chapter": 6.0, "once": 3.0, "epoch": 1.0},
    "times_chapter": RATIO,
    "differences": {"float32": 1e-6, "float16": 2e-4, "training": 0.4, "steps": 20},
}
PIPELINE = {
    "scale": "quick", "stages": 81, "seconds": {"dvc repro": [100.0], "JOBS=1": [90.0], "JOBS=2": [50.0]},
    "times_dvc": {"dvc repro": RATIO, "JOBS=1": RATIO, "JOBS=2": RATIO},
    "shares": {"dvc repro": 0.3, "JOBS=1": 0.2, "JOBS=2": 0.1},
}  # fmt: skip
FIGURES: dict[str, dict[str, Any]] = {
    "training": {"peak_tflops": {"bfloat16": 0.2, "float32": 0.1}, **dict.fromkeys(training.TITLES, NET)},
    "accuracy": {"scale": "quick", "seeds": 5, "bfloat16": 0.31, "float32": 0.312, "difference": -0.002, "standard_error": 0.004},
    "repeats": {
        "trainings": 4, "images": dict.fromkeys(repeats.TITLES, 640), "epochs": 2,
        **{kind: {"times_one_after_the_other": {"1 x 2": RATIO, "2 x 1": RATIO, "1 x 1": RATIO}, "one_after_the_other": "1 x 2",
                  "chosen": "2 x 1"} for kind in repeats.TITLES},
    },
    "features": {"images": 300, "side": 224, "head": FROZEN, "tuned": FROZEN},
    "embedding": {
        "images": 400, "side": 224, "images_per_second": {"predict": 100.0, "ours": 98.0}, "times_predict": RATIO,
        "memory": {"1000": {"own_megabytes": 400.4}, "10000": {"own_megabytes": 401.0}},
    },
    "augmentation": {
        "images": {"chapter": 20_000, "ours": 500_000}, "images_per_second": {"chapter": 5_000.0, "ours": 25_000.0},
        "times_chapter": RATIO,
    },
    "overhead": {
        "seconds": 60.0, "stages": 5, "seconds_a_stage": 3.0, "share": 0.25, "all_stages": 77,
        "dvc_seconds_a_stage": 0.8, "nothing_to_do_seconds": {"dvc repro": 4.9, "make repro": 2.5},
        "growth": {"10": {"nothing_to_do_seconds": {"dvc repro": 2.0, "make repro": 1.0},
                          "one_changed_seconds": {"dvc repro": 3.0, "make repro": 4.0}}},
    },
    "pipeline": PIPELINE,
    "pipeline_whole": PIPELINE,
    "threads": {"vehicles": {"images_per_second": {"1 x 2": 500.0, "2 x 1": 700.0},
                             "times_base": {"1 x 2": RATIO, "2 x 1": RATIO}, "base": "1 x 2"}},
    "kernels": {"vehicles": {"images_per_second": {"free": 500.0, "pinned": 400.0}, "pinned_times": RATIO}},
    "accuracy_at_book": {"scale": "book", "seeds": 3, "bfloat16": 0.71, "float32": 0.71, "difference": 0.0,
                         "standard_error": 0.001},
}  # fmt: skip
MACHINE = {"cpu": "A processor", "cores": 2, "memory_gib": 16, "precision": "bfloat16", "python": "3.11.9",
           "versions": {"keras": "3.15.1"}}  # fmt: skip
RESULTS = {name: figures | {"machine": MACHINE, "minutes": 2.0, "others_percent": 1.0} for name, figures in FIGURES.items()}


def test_ways_take_turns_each_in_a_process_of_its_own(tmp_path):
    path = str(tmp_path / "order")
    turns = trials.interleaved({"a": Way(works.counting, (path, "a")), "b": Way(works.counting, (path, "b"))}, 3, "order")
    assert (tmp_path / "order").read_text() == "a1 b1 a2 b2 a3 b3 "
    assert [{name: len(values) for name, values in figures.items()} for figures in turns] == [{"a": 3, "b": 3}] * 2
    assert trials.apart(works.first, path) not in (os.getpid(), trials.apart(works.first, path))


def test_processes_of_one_way_work_at_the_same_time_in_an_environment_of_their_own(tmp_path):
    ways = {name: Way(works.meeting, (str(tmp_path),), 2, {"TOGETHER": name}) for name in ("a", "b")}
    turns = trials.interleaved(ways, 1, "meeting")
    assert {path.name: len(list(path.iterdir())) for path in tmp_path.iterdir()} == {"a": 2, "b": 2}
    assert [len(seconds) for seconds in turns.seconds.values()] == [1, 1]
    assert "TOGETHER" not in os.environ


def test_what_fails_in_another_process_is_an_error_here():
    with pytest.raises(ValueError, match="cannot be prepared"):
        trials.interleaved({"a": Way(works.failing)}, 1, "failing")


def test_a_ratio_is_the_median_of_the_ratios_of_each_repeat():
    """Not the ratio of the medians, which would be 4/2 = 2 here."""
    assert trials.times([1, 2, 4], [4, 6, 2]) == {"median": 3, "lowest": 0.5, "highest": 4}
    assert rows.times({"median": 3, "lowest": 0.5, "highest": 4}) == "3.00 x (0.50-4.00)"


def test_operations_of_padded_convolutions_by_hand():
    """T4: places 32x32, 16x16 and 8x8; 2,048 numbers reach the softmax."""
    by_hand = 1024 * (27 * 32 + 288 * 32) + 256 * (288 * 64 + 576 * 64) + 64 * (576 * 128 + 1152 * 128) + 2048 * 10
    assert nets.operations(chapters.cifar_deeper()) == 2 * by_hand


TOLD = ("filters", "kernel_size", "padding", "strides", "pool_size", "units", "activation", "rate")


def described(layer: keras.layers.Layer) -> tuple[str, dict[str, object]]:
    config = layer.get_config()
    return type(layer).__name__, {name: config[name] for name in TOLD if name in config}


@pytest.mark.parametrize("key", training.TITLES)
def test_the_chapters_network_is_ours(key):
    settings = checks.load(ROOT / "params.yaml")
    spec, side, n_classes = settings.train[key], *((28, 4) if key == "vehicles" else (32, 10))
    built = nets.build(settings.nets[spec.net], (side, side, 3), n_classes, 0)
    theirs = chapters.NETWORKS[key]()
    assert theirs.count_params() == built.count_params()
    layers = [described(layer) for layer in built.layers if not isinstance(layer, keras.layers.Rescaling)]
    assert [described(layer) for layer in theirs.layers] == layers
    optimizer = nets.trainer(built, spec, 100).optimizer
    assert type(theirs.optimizer) is type(optimizer)
    assert float(theirs.optimizer.learning_rate) == float(optimizer.learning_rate)


@pytest.mark.parametrize("key", ["shallow_adadelta", "cifar_deeper"])
def test_the_chapters_pixels_are_ours(key):
    settings = checks.load(ROOT / "params.yaml")
    images = np.random.default_rng(5).integers(0, 256, (20, 4, 4, 3), "uint8")
    labels = np.arange(20) % 10
    split = Split(images, np.arange(20), labels, labels)
    spec = settings.train[key]
    pixels = keras.Sequential(nets.front(spec, split)).predict(images, verbose=0)
    theirs, one_hot = chapters.prepared(images, labels, 10, spec.pixels == "standardized")
    np.testing.assert_allclose(theirs, pixels, rtol=1e-4, atol=1e-5)
    assert theirs.dtype == np.float32
    assert one_hot.argmax(axis=1).tolist() == labels.tolist()


def test_training_counts_images_and_the_share_of_the_peak():
    seconds = {"chapter": [4.0, 4.0, 8.0], "bfloat16": [1.0, 2.0, 2.0], "float32": [4.0, 4.0, 4.0]}
    turns = trials.Turns(seconds, {"chapter": [1.0, 1.0, 2.0], "bfloat16": [2.0] * 3, "float32": [2.0] * 3})
    figures = training.compared(turns, 1_000, 100_000_000, {"bfloat16": 0.2, "float32": 0.1})
    assert figures["images_per_second"] == {"chapter": 250, "bfloat16": 500, "float32": 250}
    assert figures["times_fastest"] == {"bfloat16": 2, "float32": 1}
    assert figures["cores"]["chapter"] == 1
    assert figures["times_chapter"]["bfloat16"] == {"median": 4, "lowest": 2, "highest": 4}
    assert figures["times_chapter"]["float32"]["median"] == 1
    assert figures["share_of_peak"] == {"bfloat16": pytest.approx(0.25), "float32": pytest.approx(0.25)}
    assert "chapter" not in figures["times_chapter"]


def few(n: int, keep: list[int] | None = None, crop: int | None = None) -> Split:
    """Random images in place of `workplaces.cifar10`."""
    random = np.random.default_rng(7)
    labels = random.integers(0, len(keep or range(10)), n, "uint8")
    return Split(random.integers(0, 256, (n, crop or 32, crop or 32, 3), "uint8"), np.arange(n), labels, labels)


def test_our_epoch_trains_on_whenever_it_is_measured():
    """From where the last one ended: it neither starts again nor resumes a kept state."""
    settings = checks.load(ROOT / "params.yaml")
    spec, split = settings.train["shallow_adadelta"], few(70)
    model = nets.for_data(settings.nets[spec.net], spec, split, 10, 0)
    work = epochs.epoch(model, spec, split)
    weights = [model.get_weights()[0]]
    for _ in range(2):
        work()
        weights.append(model.get_weights()[0])
    assert all((before != after).any() for before, after in pairwise(weights))
    assert model.optimizer.iterations.numpy() == 2 + 2 * 2  # batches of 64, of the first epochs and of the warm-up


@pytest.mark.parametrize("kind", repeats.TITLES)
def test_a_repeat_of_each_kind_trains(monkeypatch, kind):
    monkeypatch.setattr(workplaces, "cifar10", few)
    monkeypatch.setattr(compute, "configure", lambda *_: {})
    assert 0 < repeats.trained(kind, 1, repeats.Size(1, {kind: 70}, 1, 1), 0) < 10


def test_frozen_parts_are_trained_as_at_scale_book():
    """R4: 20 epochs; Q's second phase: 10, above the head of its first."""
    (head, net, train_from), (tuned, net_below, from_block) = features.block("head"), features.block("tuned")
    assert (head.epochs, head.batch, net, train_from) == (20, 10, "flatten F256", None)
    assert (tuned.epochs, tuned.batch, net_below, from_block) == (10, 30, "GAP F1024", "block_6a")


def test_pairs_give_the_mean_difference_and_its_standard_error():
    """Differences .01, .03, -.01: their deviation is .02, over the root of three."""
    figures = accuracy.compared([(0.71, 0.70), (0.73, 0.70), (0.69, 0.70)])
    assert figures["difference"] == pytest.approx(0.01)
    assert figures["standard_error"] == pytest.approx(0.02 / 3**0.5)


def test_jobs_times_threads_fill_the_cores():
    assert repeats.pairs(1) == [(1, 1)]
    assert repeats.pairs(2) == [(1, 2), (2, 1), (1, 1)]
    assert repeats.pairs(6) == [(1, 6), (2, 3), (3, 2), (6, 1), (1, 1)]


def test_trainings_at_once_with_all_cores_each_or_one():
    assert threads.pairs(1) == [(1, 1)]
    assert threads.pairs(2) == [(1, 2), (2, 1), (2, 2), (1, 1)]
    assert threads.pairs(4) == [(1, 4), (4, 1), (4, 4), (1, 1)]


def test_images_of_all_trainings_at_once_count():
    """Of 100 images an epoch: one training in 2 s are 50 a second, two at once in 3 s are 67."""
    seconds = {"1 x 2": [2.0, 2.0], "2 x 1": [3.0, 3.0]}
    figures = threads.compared(trials.Turns(seconds, seconds), 100)
    assert figures["images_per_second"] == {"1 x 2": 50, "2 x 1": pytest.approx(200 / 3)}
    assert figures["times_base"]["2 x 1"]["median"] == pytest.approx(4 / 3)


def test_pinned_kernels_are_compared_with_free_ones_and_these_with_none_of_onednn():
    seconds = {"free": [2.0], "pinned": [4.0], "without oneDNN": [3.0]}
    figures = kernels.compared(trials.Turns(seconds, seconds), 100)
    assert figures["pinned_times"]["median"] == 0.5
    assert figures["onednn_times"]["median"] == 1.5
    assert figures["images_per_second"] == {"free": 50, "pinned": 25, "without oneDNN": pytest.approx(100 / 3)}


@pytest.mark.parametrize(("flags", "ways"), [({"avx2", "avx512f"}, 2), ({"avx2"}, 3)])
def test_onednn_is_switched_off_only_where_tensorflow_does_not_take_it_by_itself(monkeypatch, flags, ways):
    monkeypatch.setattr(processor, "flags", lambda: flags)
    tried = []

    def interleaved(those, repeats, label):
        tried.append(those)
        ones = {name: [1.0] for name in those}
        return trials.Turns(ones, ones)

    monkeypatch.setattr(trials, "interleaved", interleaved)
    monkeypatch.setattr(kernels, "IMAGES", {"vehicles": 10})
    figures = kernels.measure()
    assert len(tried[0]) == ways
    assert tried[0]["pinned"].environment == pins.KERNELS | {pins.MARK: "avx2"}
    assert any("left out" in row.figure for row in kernels.table(figures)) == (ways == 2)


@pytest.mark.parametrize("same", [True, False])
def test_ways_to_run_a_pipeline_must_end_with_the_same_entries(tmp_path, monkeypatch, same):
    """Two stages of 3 s each: 6 s of work in 10 s, or in 5 s by two workers."""
    seconds = {pipeline.WAYS["dvc repro"]: 10.0, pipeline.WAYS["JOBS=1"]: 10.0, pipeline.WAYS["JOBS=2"]: 5.0}

    @contextlib.contextmanager
    def clone(change):
        change({})
        yield Path(tempfile.mkdtemp(dir=tmp_path))

    def repro(folder, *targets, command):
        assert targets == ("a", "b")
        for name in targets:
            records.write_json(folder / timings.FOLDER / f"quick/{name}.json", {"stage": name, "seconds": 3.0})
        entries = sorted(["  a: 1", "  b: 2"], reverse=command == overhead.DVC) + ([] if same else [f"  c: {command[-1]}"])
        (folder / "dvc.lock").write_text("\n".join(["stages:", *entries]))
        return seconds[command]

    monkeypatch.setattr(workplaces, "clone", clone)
    monkeypatch.setattr(overhead, "repro", repro)
    with contextlib.nullcontext() if same else pytest.raises(ValueError, match=r"different entries in dvc\.lock"):
        figures = pipeline.measure(pipeline.Size("quick", ("a", "b"), 2))
        assert figures["stages"] == 2
        assert figures["shares"] == {name: pytest.approx(0.4) for name in pipeline.WAYS}
        assert figures["times_dvc"]["JOBS=2"] == {"median": 2, "lowest": 2, "highest": 2}


def test_a_pipelines_ways_are_compared_with_dvc_repro():
    seconds = {"dvc repro": [100.0], "JOBS=1": [80.0], "JOBS=2": [50.0]}
    figures = pipeline.compared(seconds, {name: [0.3, 0.1, 0.2] for name in seconds})
    assert figures["times_dvc"]["JOBS=2"]["median"] == 2
    assert figures["shares"]["JOBS=1"] == 0.2


def test_an_experiments_epochs_are_extrapolated_from_one():
    """Ten epochs of 6 s against one run of the frozen part of 5 s and ten epochs of 1 s."""
    figures = features.extrapolated({"chapter": [6, 3], "once": [5, 5], "epoch": [1, 1]}, 10)
    assert figures["times_chapter"] == {"median": 3, "lowest": 2, "highest": 4}
    assert figures["seconds"] == {"chapter": 4.5, "once": 5, "epoch": 1}


def test_images_are_augmented_at_a_rate_that_knows_how_many_they_were():
    figures = augmentation.compared({"chapter": [10.0], "ours": [20.0]}, {"chapter": 1_000, "ours": 50_000})
    assert figures["images_per_second"] == {"chapter": pytest.approx(100), "ours": pytest.approx(2_500)}
    assert figures["times_chapter"]["median"] == pytest.approx(25)


def test_the_chapters_augmentation_gives_what_ours_gives():
    """As many images, every source's plain crop among them; altered ones are a mirror image, a turn or a shift."""
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), "uint8")
    altered = chapters.augmented(images, 10, 28, np.random.default_rng(1))
    assert altered.shape == (50, 28, 28, 3)
    for image in images:
        plain = np.asarray(Image.fromarray(image).crop((2, 2, 30, 30)))
        assert (altered == plain).all(axis=(1, 2, 3)).any()
    assert ours.apply(images, ours.draw(augmentation.block(5), 32, 0, "key"), slice(0, 50), 28).shape == altered.shape


def test_overhead_is_what_the_stages_did_not_work():
    assert overhead.beside(100.0, [30.0, 45.0]) == {"seconds": 100, "stages": 2, "seconds_a_stage": 12.5, "share": 0.25}


def test_experiments_that_nobody_trained_are_up_to_date_until_one_is_changed():
    """`grown` raises when `dvc repro` runs any of the stages whose lines in dvc.lock were copied, or not just the changed one."""
    assert set(overhead.grown(3, 1)) == {"nothing_to_do_seconds", "one_changed_seconds"}


@pytest.mark.parametrize("images", embedding.GROWTH)
def test_so_many_simulated_images_are_allowed(tmp_path, images):
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    embedding.simulated(settings, images)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    spec = checks.load(tmp_path / "params.yaml").embed["first_2000"]
    assert (spec.train_images, spec.side) == (images, None)


def failing_measurement():
    raise ValueError("no room")


def test_a_measurement_that_fails_is_told_and_the_others_are_made(tmp_path, monkeypatch, capsys):
    measures = {"first": dict, "second": failing_measurement, "third": dict}
    measurements = {name: table.Measurement(measure, lambda figures: []) for name, measure in measures.items()}
    for module in (bench_main, table):
        monkeypatch.setattr(module, "MEASUREMENTS", measurements)
        monkeypatch.setattr(module, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(table, "PAGE", tmp_path / "performance.md")
    table.PAGE.write_text("".join(table.MARKERS))
    monkeypatch.setattr(machine, "LOOKED_AT", 0.01)
    monkeypatch.setattr(workplaces, "check", lambda: None)
    monkeypatch.setattr("sys.argv", ["bench"])
    with pytest.raises(SystemExit, match="second failed"):
        bench_main.main()
    assert set(json.loads((tmp_path / "results.json").read_text())) == {"first", "third"}
    assert "Not measured yet: second." in table.PAGE.read_text()
    assert "no room" in capsys.readouterr().err


def test_an_unknown_measurement_or_missing_data_is_one_message(monkeypatch):
    monkeypatch.setattr(workplaces, "CIFAR10", workplaces.ROOT / "data/nothing")
    monkeypatch.setattr("sys.argv", ["bench", "speed"])
    with pytest.raises(SystemExit, match="error: speed: none of training, accuracy"):
        bench_main.main()
    monkeypatch.setattr("sys.argv", ["bench", "training"])
    with pytest.raises(SystemExit, match=r"error: data/nothing.* missing: dvc repro download@cifar10"):
        bench_main.main()


def test_a_machine_is_described_with_its_processors_family(tmp_path, monkeypatch):
    monkeypatch.setattr(keeping, "CPUINFO", tmp_path / "cpuinfo")
    keeping.CPUINFO.write_text("cpu family\t: 26\nmodel\t\t: 2\nmodel name\t: It\n")
    assert ", family 26 model 2, " in machine.described()["cpu"]


def test_each_figure_keeps_the_machine_that_it_was_measured_on(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_main, "RESULTS", tmp_path / "results.json")
    measured = {}
    for name, cores in (("training", 2), ("accuracy_at_book", 64), ("kernels", 2), ("training", 64)):
        measured[name] = RESULTS[name] | {"machine": MACHINE | {"cores": cores}}
        bench_main.keep(name, measured[name])
    assert json.loads((tmp_path / "results.json").read_text()) == measured
    written = table.markdown(measured).splitlines()
    assert [line.split(",")[:2] for line in written[:2]] == [
        ["- **A**: A processor", " 64 cores"],
        ["- **B**: A processor", " 2 cores"],
    ]
    letters = {line.split(" | ")[1].partition(",")[0]: line[2] for line in written[4:] if line.startswith("| ")}
    assert letters["accuracy"] == letters["the peak: a large matrix product"] == "A"
    assert {line[2] for line in written if "one thread, kernels pinned" in line} == {"B"}


def test_memory_is_what_the_process_allocates():
    before = embedding.status("RssAnon")
    with embedding.sampled() as peak:
        block = np.ones(50_000_000, "uint8")
        time.sleep(5 * embedding.SAMPLE_SECONDS)
    assert block.nbytes * 0.9 < max(peak) - before < block.nbytes * 1.5


def test_every_measurement_has_rows_without_cells_in_them():
    text = table.markdown(RESULTS)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) > 2 + len(table.MEASUREMENTS)
    assert {line.count("|") for line in lines} == {6}
    assert "2.00 x (1.50-2.50): 1,000 images/s, 50 % of the peak" in text
    assert "A processor, 2 cores, 16 GiB" in text
    assert "24 minutes in all" in text


def test_the_pages_table_is_what_was_measured():
    written = atomic.replaced(table.PAGE, table.MARKERS, table.markdown(json.loads(table.RESULTS.read_text())))
    assert written == table.PAGE.read_text()
