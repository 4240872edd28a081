import numpy as np
import pytest
from scipy import stats

LENET, DENSE = [0.90, 0.91, 0.93, 0.9, 0.92, 0.94], [0.85, 0.84, 0.89, 0.85, 0.86, 0.9]


def test_another_processors_results_are_not_read(results):
    for seed in (14, "14-amd", "15-gpu"):
        results.metrics(seed, "evaluate/a", images=1000, accuracy=0.9)
        results.metrics(seed, "evaluate/b", images=1000, accuracy=0.5)
    assert results.verdict().n == 1000
    assert results.verdict().unit == "images"


def test_the_repeats_of_a_file_are_its_tables(results):
    accuracies = {"a": [0.70, 0.71, 0.69], "b": [0.61, 0.64, 0.60]}
    for key, values in accuracies.items():
        results.metrics(14, f"finetune/{key}", repeats=3, accuracy=sum(values) / 3, standard_error=0.9, accuracy_before=0.5)
        rows = (f"{repeat},{value},{0.5 + repeat / 100}" for repeat, value in enumerate(values, 1))
        results.table(14, f"finetune/{key}", "repeat,accuracy,accuracy_before", *rows)
    found = results.verdict(first="finetune/a.accuracy", second="finetune/b.accuracy")
    assert found.p == pytest.approx(stats.ttest_ind(*accuracies.values(), equal_var=False).pvalue)
    assert found.n == 3
    before = results.verdict(first="finetune/a.accuracy_before", says="within", target=0.5, margin=0.05)
    assert (before.effect, before.n) == (pytest.approx(0.52), 3)


def test_repeats_of_several_seeds_are_all_counted(results):
    for seed, values in {14: [0.70, 0.71], 15: [0.72, 0.75]}.items():
        results.metrics(seed, "learning_curve/a", repeats=2, accuracy=sum(values) / 2, standard_error=0.9)
        results.table(seed, "learning_curve/a", "images,repeat,accuracy", f"300,1,{values[0]}", f"300,2,{values[1]}")
    found = results.verdict(first="learning_curve/a.accuracy", margin=0.7)
    assert (found.n, found.effect) == (4, pytest.approx(0.72))


def test_fine_tuned_repeats_of_several_seeds_count_as_a_mean_for_each_seed_since_they_share_its_network(results):
    means = {"a": [0.705, 0.735, 0.72], "b": [0.61, 0.66, 0.62]}
    results.params(14, finetune={"a": {}, "b": {}}, repeat={"c": {}})
    for key, each in means.items():
        for seed, mean in enumerate(each, 14):
            results.metrics(seed, f"finetune/{key}", repeats=2, accuracy=mean, standard_error=0.9)
            results.table(seed, f"finetune/{key}", "repeat,accuracy", f"1,{mean - 0.001}", f"2,{mean + 0.001}")
    found = results.verdict(first="finetune/a.accuracy", second="finetune/b.accuracy")
    assert (found.n, found.note) == (3, "each training is the mean of a seed's repeats")
    assert found.p == pytest.approx(stats.ttest_ind(*means.values(), equal_var=False).pvalue)


def test_fine_tuned_repeats_of_one_seed_are_counted_as_such(results):
    values = [0.70, 0.71, 0.74, 0.69]
    results.params(14, finetune={"a": {}})
    results.metrics(14, "finetune/a", repeats=4, accuracy=0.71, standard_error=0.9)
    results.table(14, "finetune/a", "repeat,accuracy", *(f"{repeat},{value}" for repeat, value in enumerate(values, 1)))
    found = results.verdict(first="finetune/a.accuracy", margin=0.7)
    assert (found.n, found.unit, found.decide_at) == (4, "repeats", None)
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.7).pvalue)
    assert found.note == "repeats from one network: from two seeds on the mean of each counts once"


def test_the_most_images_are_those_of_a_learning_curves_accuracy(results):
    results.metrics(14, "learning_curve/a", repeats=2, accuracy=0.95)
    rows = ("3000,1,0.94", "3000,2,0.96", "300,1,0.1", "300,2,0.2")
    results.table(14, "learning_curve/a", "images,repeat,accuracy", *rows)
    assert results.verdict(first="learning_curve/a.accuracy").effect == pytest.approx(0.95)


@pytest.mark.parametrize(("measure", "field"), [
    ("train/a.accuracy", "images"), ("train/a.train_accuracy", "train_images"), ("classify/a.accuracy_forest", "test_images"),
    ("one_vs_rest.accuracy", "images"),
])  # fmt: skip
def test_a_share_is_of_the_images_that_its_file_names_unless_the_claim_does(results, measure, field):
    file, _, column = measure.partition(".")
    results.metrics(14, file, **{field: 500, column: 0.5})
    assert results.verdict(first=measure).n == 500
    assert results.verdict(first=measure, images=100).n == 100


def test_repeats_from_scratch_share_nothing_and_are_all_counted(results):
    results.params(14, finetune={"a": {}}, repeat={"c": {}})
    for seed, values in {14: [0.70, 0.71], 15: [0.72, 0.75]}.items():
        for key in ("a", "c"):
            results.metrics(seed, f"finetune/{key}", repeats=2, accuracy=sum(values) / 2, standard_error=0.9)
            results.table(seed, f"finetune/{key}", "repeat,accuracy", f"1,{values[0]}", f"2,{values[1]}")
    found = results.verdict(first="finetune/c.accuracy", margin=0.7)
    assert (found.n, found.p) == (4, pytest.approx(stats.ttest_1samp([0.70, 0.71, 0.72, 0.75], 0.7).pvalue))
    both = results.verdict(first="finetune/a.accuracy", second="finetune/c.accuracy")
    assert both.p == pytest.approx(stats.ttest_ind([0.705, 0.735], [0.70, 0.71, 0.72, 0.75], equal_var=False).pvalue)


def test_a_learning_curves_repeats_are_those_of_its_number_of_images_and_paired(results):
    for key, values in {"a": LENET, "b": DENSE}.items():
        results.metrics(14, f"learning_curve/{key}", repeats=6, accuracy_300=sum(values) / 6, standard_error_300=0.9)
        rows = [f"300,{repeat},{value}" for repeat, value in enumerate(values, 1)]
        results.table(14, f"learning_curve/{key}", "images,repeat,accuracy", "3000,1,0.1", "3000,2,0.2", "3000,3,0.3", *rows)
    found = results.verdict(first="learning_curve/a.accuracy_300", second="learning_curve/b.accuracy_300", paired=True)
    assert found.test == "paired t"
    assert found.p == pytest.approx(stats.ttest_rel(LENET, DENSE).pvalue)


def test_a_whole_number_is_a_count_of_images(results):
    results.metrics(14, "evaluate/a", airplanes=189, trucks=117)
    found = results.verdict(first="evaluate/a.airplanes", second="evaluate/a.trucks", images=1000)
    assert (found.verdict, found.n, found.effect) == ("holds", 1000, pytest.approx(0.072))


def test_the_accuracy_of_a_curves_epoch_is_a_share_of_images(results):
    results.table(14, "history/a", "epoch,val_accuracy", "1,0.98", "2,0.99")
    found = results.verdict(first="history/a.val_accuracy[1]", margin=0.95, images=400)
    assert (found.test, found.n, found.effect, found.verdict) == ("binomial", 400, 0.98, "holds")


def test_a_loss_of_one_training_has_nothing_behind_it_to_judge_by(results):
    for key in ("a", "b"):
        results.metrics(14, f"train/{key}", images=1000, loss=0.3)
    found = results.verdict(first="train/a.loss", second="train/b.loss")
    assert (found.verdict, found.p, found.effect) == ("undecided", None, 0)


def test_an_undefined_number_counts_as_not_run(results):
    results.metrics(14, "evaluate/a", images=10, accuracy=None)
    assert results.verdict(first="evaluate/a.accuracy").verdict == "not yet run"


CONFUSED = ("forest,3,5,4.0", "forest,3,8,3.5", "forest,5,3,5.0", "forest,5,8,1.0", "forest,3,3,92.5", "forest,5,5,94.0",
            "forest,8,8,99", "svm,5,8,50.0")  # fmt: skip


def test_the_least_of_the_named_pairs_is_compared_with_the_most_frequent_other(results):
    results.table(14, "classify/embedded", "classifier,actual,predicted,percent", *CONFUSED)
    about = {"first": "classify/embedded.forest", "images": 1000}
    found = results.verdict(**about, confused=["3 as 5", "3 as 8", "5 as 3"])
    assert (found.effect, found.verdict, found.n) == (pytest.approx(0.025), "holds", 1000)
    assert results.verdict(**about, confused=["3 as 5", "5 as 8"]).effect == pytest.approx(0.01 - 0.05)


def confused(results, seeds):
    """Writes how often each digit is taken for another, in percent, for each seed."""
    for seed, shares in enumerate(seeds, 14):
        rows = (f"forest,{pair[0]},{pair[-1]},{percent}" for pair, percent in shares.items())
        results.table(seed, "classify/embedded", "classifier,actual,predicted,percent", *rows)


def test_the_two_confusions_are_chosen_by_their_means_and_a_refutation_is_corrected_for_all_of_them(results):
    """Seed by seed the least of the named is 3 as 5, 3 as 8, 3 as 5, and the most frequent other 5 as 8, 8 as 3, 5 as 8."""
    seeds = [
        {"3 as 5": 1.0, "3 as 8": 2.5, "5 as 8": 5.0, "8 as 3": 1.0, "8 as 5": 0.1},
        {"3 as 5": 1.4, "3 as 8": 1.3, "5 as 8": 5.5, "8 as 3": 5.6, "8 as 5": 0.2},
        {"3 as 5": 1.2, "3 as 8": 2.0, "5 as 8": 5.2, "8 as 3": 1.5, "8 as 5": 0.1},
    ]
    confused(results, seeds)
    found = results.verdict(first="classify/embedded.forest", confused=["3 as 5", "3 as 8"], images=1000)
    expected = stats.ttest_ind([1.0, 1.4, 1.2], [5.0, 5.5, 5.2], equal_var=False).pvalue
    assert found.effect == pytest.approx((1.2 - 15.7 / 3) / 100)
    assert found.p == pytest.approx(2 * 3 * expected)
    assert found.note == "the weakest of 6: 3 as 5 against 5 as 8"
    assert (found.verdict, found.unit) == ("does not hold", "trainings")


def test_the_digits_confused_most_often_are_seldom_refuted_by_chance(results):
    """True shares: the three named 3.5 %, five others 3 %, the rest .5 %, each of 892 images; five seeds, 30 times."""
    random = np.random.default_rng(14)
    pairs = [f"{one} as {two}" for one in range(10) for two in range(10) if one != two]
    named, close = ["3 as 5", "3 as 8", "5 as 3"], ["4 as 9", "9 as 4", "8 as 3", "8 as 5", "7 as 9"]
    true = [0.035 if pair in named else 0.03 if pair in close else 0.005 for pair in pairs]
    found = []
    for _ in range(30):
        confused(results, [dict(zip(pairs, random.binomial(892, true) / 8.92, strict=True)) for _ in range(5)])
        found.append(results.verdict(first="classify/embedded.forest", confused=named, images=892).verdict)
    assert found.count("does not hold") <= 1


@pytest.mark.parametrize(("fields", "message"), [
    ({"first": "evaluate/a.acuracy"}, r"seed_14/metrics/evaluate/a\.json: has no 'acuracy'; it has images, accuracy"),
    ({"first": "history/a.los[1:2]"}, r"seed_14/plots/history/a\.csv: has no 'los'; it has epoch, loss"),
    ({"first": "history/a.loss[1:3]"}, r"seed_14/plots/history/a\.csv: has epochs 1 to 2, not 1 to 3"),
    ({"first": "classify/a.forest", "confused": ["3 as 9"]}, r"seed_14/plots/classify/a\.csv: forest has no 3 as 9"),
])  # fmt: skip
def test_what_a_file_should_have_and_has_not_is_told(results, fields, message):
    results.metrics(14, "evaluate/a", images=10, accuracy=0.5)
    results.table(14, "history/a", "epoch,loss", "1,0.5", "2,0.4")
    results.table(14, "classify/a", "classifier,actual,predicted,percent", *CONFUSED)
    with pytest.raises(ValueError, match=message):
        results.verdict(**fields)


def test_predictions_of_another_run_than_the_metrics_are_told(results):
    results.scored(14, "a", "cc cd dd dd")
    results.metrics(14, "evaluate/a", images=4, accuracy=0.5)
    with pytest.raises(ValueError, match=r"confusion/a\.csv: is of another run than metrics/evaluate/a\.json: 0\.75.*, 0\.5"):
        results.verdict(first="evaluate/a.accuracy")
