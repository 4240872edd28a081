"""Numbers of results/book: over seeds, and over the repeats within them."""

import numpy as np
import pytest
import scipy.stats

from relearn.claims import kept
from relearn.data import records

SEEDS = {14: [0.61, 0.64, 0.66], 15: [0.59, 0.6, 0.7], 3: [0.5, 0.65, 0.62]}


@pytest.fixture
def book(tmp_path):
    for seed, values in SEEDS.items():
        folder = tmp_path / f"seed_{seed}/metrics"
        repeated = {"repeats": 3, "accuracy": np.mean(values), "standard_error": scipy.stats.sem(values), "parameters": 10}
        few = {"accuracy_300": np.mean(values), "standard_error_300": scipy.stats.sem(values)}
        records.write_json(folder / "finetune/a.json", repeated | few)
        records.write_json(folder / "evaluate/b.json", {"accuracy": values[0], "images": 100})
    records.write_json(tmp_path / "seed_14-another/metrics/evaluate/b.json", {"accuracy": 0.9})
    records.write_json(tmp_path / "seed_14/metrics/evaluate/once.json", {"accuracy": 0.25})
    return tmp_path


def test_one_training_a_seed_gives_the_mean_over_the_seeds_of_the_first_processor(book):
    values = [values[0] for values in SEEDS.values()]
    mean, error, n = kept.value("evaluate/b.accuracy", book)
    assert [mean, error, n] == pytest.approx([np.mean(values), scipy.stats.sem(values), 3])


def test_repeats_of_one_seed_count_as_they_are(book):
    (book / "seed_14/params.yaml").write_text("finetune: {a: {}, b: {}}\n")
    for seed in (15, 3):
        (book / f"seed_{seed}/metrics/finetune/a.json").unlink()
    assert kept.value("finetune/a.accuracy", book) == pytest.approx((np.mean(SEEDS[14]), scipy.stats.sem(SEEDS[14]), 3), abs=1e-6)
    assert kept.value("finetune/a.parameters", book) == (10, None, 3)
    assert kept.share_a_start("finetune/b", book)
    assert not kept.share_a_start("evaluate/b", book)


@pytest.mark.parametrize("text", ["", "finetune:", "train: {a: {}}"])
def test_without_fine_tuned_networks_nothing_shares_a_start(book, text):
    (book / "seed_14/params.yaml").write_text(text)
    assert not kept.share_a_start("finetune/a", book)


def test_repeats_that_start_from_a_seeds_network_count_as_their_mean(book):
    (book / "seed_14/params.yaml").write_text("finetune: {a: {}}\n")
    means = [np.mean(values) for values in SEEDS.values()]
    mean, error, n = kept.value("finetune/a.accuracy", book)
    assert [mean, error, n] == pytest.approx([np.mean(means), scipy.stats.sem(means), 3], abs=1e-6)


@pytest.mark.parametrize("column", ["accuracy", "accuracy_300"])
def test_repeats_of_several_seeds_are_put_together(book, column):
    together = np.concatenate(list(SEEDS.values()))
    mean, error, n = kept.value(f"finetune/a.{column}", book)
    assert [mean, error, n] == pytest.approx([together.mean(), scipy.stats.sem(together), 9], abs=1e-6)


def test_one_training_and_what_no_seed_changes_have_no_error(book):
    assert kept.value("evaluate/once.accuracy", book) == (0.25, None, 1)
    assert kept.value("evaluate/b.images", book) == (100, None, 3)
    assert kept.value("finetune/a.parameters", book) == (10, None, 3)


def test_equal_values_of_all_seeds_have_no_error_though_they_are_no_round_numbers(results):
    """The deviation of five times .8203 is 1.2e-16."""
    for seed in range(14, 19):
        results.metrics(seed, "classify/raw", accuracy_centroid=0.8203)
    found = kept.value("classify/raw.accuracy_centroid", results.folder)
    assert (found.error, found.n) == (None, 5)


def test_what_was_not_run_has_no_value(book):
    assert kept.value("evaluate/none.accuracy", book) == (None, None, 0)
