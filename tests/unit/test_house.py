"""The layout's promises: who depends on what, how long a script is, what git holds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT

STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PHOTOS = yaml.safe_load((ROOT / "photos/dvc.yaml").read_text())["stages"]
NEED_TENSORFLOW = {"train", "evaluate", "embed", "fetch", "inspect_model", "predict", "style_transfer", "transfer"}


BLOCKS = {"evaluate": "train.${key}", "fetch": "backbones.${key}", "one_vs_rest": "one_vs_rest"}


@pytest.mark.parametrize("name", sorted(set(PIPELINE) - {"collect", "report"}))
def test_a_stage_depends_on_its_own_block_of_parameters(name):
    stage = PIPELINE[name].get("do", PIPELINE[name])
    assert BLOCKS.get(name, f"{name}.${{key}}") in stage["params"]
    assert ("scale" in stage["params"]) == (name not in ("download", "fetch"))
    assert "compute" not in stage["params"]
    assert ("compute.strategy" in stage["params"]) == ("compute.scope(" in (ROOT / f"stages/{name}.py").read_text())
    multiplies = name not in ("fetch", "predict", "style_transfer")  # the first not at all, the others in float32
    if multiplies and "set_random_seed" in "".join((ROOT / path).read_text() for path in needed(ROOT / f"stages/{name}.py")):
        assert "compute.precision" in stage["params"]


def imported(path: Path) -> set[str]:
    """Modules of stages/lib that a file names in any import statement."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "stages.lib":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stages.lib."):
            found.add((node.module or "").split(".")[2])
    return found


def needed(path: Path) -> set[str]:
    """`imported`, with what those modules import in turn."""
    seen: set[str] = set()
    todo = imported(path)
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= imported(ROOT / f"stages/lib/{module}.py") - seen
    return {f"stages/lib/{module}.py" for module in seen}


def script(stage) -> str:
    return re.search(r"python -m stages\.(\w+)", stage["cmd"])[1]  # type: ignore[index]


@pytest.mark.parametrize(("pipeline", "name"), [("", name) for name in PIPELINE] + [("photos", name) for name in PHOTOS])
def test_a_stages_deps_are_its_script_and_just_what_it_imports(pipeline, name):
    stage = PHOTOS[name].get("do", PHOTOS[name]) if pipeline else PIPELINE[name].get("do", PIPELINE[name])
    up = "../" if pipeline else ""
    listed = {dep for dep in stage["deps"] if dep.endswith(".py")}
    own = script(stage)
    assert listed == {f"{up}{path}" for path in {f"stages/{own}.py"} | needed(ROOT / f"stages/{own}.py")}
    assert stage["desc"]
    assert pipeline or own == name


def test_no_stage_depends_on_the_whole_of_params_yaml():
    for name, stage in PIPELINE.items():
        assert "params.yaml" not in stage.get("do", stage)["deps"], name


def printed(code: str) -> str:
    """What Python prints that has imported nothing yet."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_tensorflow_is_not_imported_by_stages_that_can_do_without():
    imports = "".join(
        f"import stages.{name}\nif 'tensorflow' in sys.modules or 'keras' in sys.modules: sys.exit(print({name!r}))\n"
        for name in sorted(set(STAGES) - NEED_TENSORFLOW)
    )
    assert printed(f"import sys\n{imports}") == ""


def test_keras_comes_without_what_it_would_only_draw_or_wrap_with_and_leaves_it_to_others():
    hidden = "[name for name in engine.OPTIONAL if name in sys.modules]"
    later = "import matplotlib.pyplot, pandas, scipy.stats, sklearn.metrics"
    collected = "print('there', gc.isenabled(), gc.get_freeze_count() > 100_000)"
    assert (
        printed(f"import gc, sys; from stages.lib import engine; print({hidden}); {later}; {collected}")
        == "[]\nthere True True\n"
    )


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_script_fits_on_a_screen_or_two_and_says_what_it_reads_and_writes(name):
    text = (ROOT / f"stages/{name}.py").read_text()
    assert len(text.splitlines()) <= 140
    assert f"python -m stages.{name}" in (ast.get_docstring(ast.parse(text)) or "")


def test_what_dvc_plots_is_an_output():
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    made = {
        str(next(iter(out)) if isinstance(out, dict) else out).replace("${key}", key)
        for stage in PIPELINE.values()
        for key in (settings[stage["foreach"][2:-1]] if "foreach" in stage else [""])
        for out in stage.get("do", stage).get("outs", [])
    }
    plotted = [plot for plots in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for plot in plots.items()]
    assert len(plotted) > 10
    for name, spec in plotted:
        assert set(spec["y"] if isinstance(spec["y"], dict) else [name]) <= made, name


def test_git_holds_no_output_but_metrics_plots_and_reports():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    outputs = [name for name in listed if name.startswith(("data/", "models/")) and not name.endswith(".gitignore")]
    assert outputs == []
    assert not [name for name in listed if name.endswith((".npy", ".keras", ".npz"))]


def test_the_chapters_models_are_artifacts():
    trained = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    artifacts = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    chapter = {"shallow_adadelta", "deep_adadelta", "shallow_sgd", "deep_sgd", "multiclass", "animal_vehicle", "vehicles"}
    chapter |= {"lenet", "cifar_simple", "cifar_deeper", "cifar_deeper_augmented", "head_rmsprop"}
    paths = {artifact["path"] for artifact in artifacts.values()}
    assert {f"models/{key}.keras" for key in chapter} <= paths <= {f"models/{key}.keras" for key in trained}
