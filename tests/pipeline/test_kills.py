"""A clone that is killed. A file of its own: pytest-xdist lets its worker kill while another makes the undisturbed clone."""

import random

import yaml

from tests.support import clones, torture

CHAIN = [
    "finetune@freeze_both", "tsne@digits_3_5_8", "tune@head_grid", "predict@photographs",
    "evaluate@animal_vehicle", "learning_curve@lenet", "classify@raw", "describe@first_2000", "style_transfer@pagoda",
]  # fmt: skip
ELSEWHERE = {"one_vs_rest"}  # twenty graphs to trace: its bytes are compared by `make torture`


def test_a_clone_with_other_jobs_that_is_killed_five_times_ends_with_the_bytes_of_an_undisturbed_one(
    two_jobs, undisturbed, datasets
):
    chance = random.Random(14)  # noqa: S311
    kills = torture.kill_and_go_on(two_jobs.folder, CHAIN, 5, chance, DATASETS_DIR=str(datasets))
    assert len(kills) == 5
    folder = undisturbed()
    jobs = [yaml.safe_load((place / "params.yaml").read_text())["compute"]["jobs"] for place in (folder, two_jobs.folder)]
    assert jobs == [1, 2]
    first, second = clones.lock(folder), clones.lock(two_jobs.folder)
    kinds = {name.partition("@")[0] for name in yaml.safe_load((two_jobs.folder / "dvc.yaml").read_text())["stages"]}
    assert {name.partition("@")[0] for name in second} == kinds - {"collect", "report"} - ELSEWHERE
    assert {name: first[name] for name in second} == second
