"""A clone that is killed. A file of its own: pytest-xdist lets its worker kill while another makes the undisturbed clone.

The one runs `dvc repro`, the other stages side by side: so what both write is compared, too.
"""

import random

import yaml

from tests.support import clones, torture

CHAIN = [
    "finetune@freeze_both", "tsne@digits_3_5_8", "tune@head_grid", "predict@photographs",
    "evaluate@animal_vehicle", "learning_curve@lenet", "classify@raw", "describe@first_2000", "style_transfer@pagoda", "claims",
]  # fmt: skip
# Their bytes are compared by `make torture`: twenty graphs to trace, and a script that another stage runs, too.
ELSEWHERE = {"one_vs_rest", "repeat"}


def test_a_clone_with_other_jobs_that_is_killed_five_times_ends_with_the_bytes_of_an_undisturbed_one(two_jobs, request, datasets):
    chance = random.Random(14)  # noqa: S311
    kills = torture.kill_and_resume(two_jobs.folder, CHAIN, 5, chance, DATASETS_DIR=str(datasets))
    assert len(kills) == 5
    undisturbed = request.getfixturevalue("first_run")  # made meanwhile, by another worker
    folders = (undisturbed.folder, two_jobs.folder)
    jobs = [yaml.safe_load((folder / "params.yaml").read_text())["compute"]["jobs"] for folder in folders]
    assert jobs == [1, 2]
    first, second = map(clones.lock, folders)
    kinds = set(yaml.safe_load((two_jobs.folder / "dvc.yaml").read_text())["stages"])
    assert {name.partition("@")[0] for name in second} == kinds - {"collect", "report"} - ELSEWHERE
    assert {name: first[name] for name in second} == second
