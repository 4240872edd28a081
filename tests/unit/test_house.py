"""The layout's promises: who depends on what, how long a script is, what git holds."""

import ast
import re
import subprocess
import sys

import pytest
import yaml

from tests.conftest import ROOT

STAGES = sorted(path.stem for path in (ROOT / "stages").glob("*.py") if path.stem != "__init__")
PIPELINES = {folder: yaml.safe_load((ROOT / folder / "dvc.yaml").read_text())["stages"] for folder in ("", "photos")}
EACH = [(folder, name) for folder, stages in PIPELINES.items() for name in stages]
NEED_TENSORFLOW = {"train", "evaluate", "embed", "fetch", "predict", "style_transfer", "transfer"}
BLOCKS = {"evaluate": "train.${key}", "fetch": "backbones.${key}", "one_vs_rest": "one_vs_rest"}

# In no deps. Packages that can only refuse, tell or draw progress; and of the schema the parts of every block and the list
# of dictionaries: what a block says stands in its kind's module.
EXEMPT = {"relearn/process", "relearn/checks"}
EXEMPT_MODULES = {"relearn/params/base.py", "relearn/params/whole.py"}
READ_ALL = {"collect", "report"}  # cheap stages that tell of every block: they depend on the whole schema and on params.yaml
READ_NONE = {"claims"}  # about results/book, whatever params.yaml says


def block(folder: str, name: str):
    stage = PIPELINES[folder][name]
    return stage.get("do", stage)


def script(folder: str, name: str) -> str:
    return re.search(r"python -m stages\.(\w+)", block(folder, name)["cmd"])[1]  # type: ignore[index]


def imported(path: str) -> set[str]:
    """Modules of relearn/ that a file imports, at its top or in a function."""
    modules = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "relearn":
            package = (node.module or "").replace(".", "/")
            for alias in node.names:
                candidates = (f"{package}/{alias.name}.py", f"{package}.py", f"{package}/{alias.name}/__init__.py",
                              f"{package}/__init__.py")  # fmt: skip
                modules.add(next(name for name in candidates if (ROOT / name).is_file()))
    return modules


def reached(path: str) -> set[str]:
    """`imported`, with what those modules import in turn; not through what is exempt."""
    seen: set[str] = set()
    todo = imported(path)
    while todo:
        module = todo.pop()
        seen.add(module)
        if package(module) not in EXEMPT and module not in EXEMPT_MODULES:
            todo |= imported(module) - seen
    return seen - EXEMPT_MODULES


def package(module: str) -> str:
    return "/".join(module.split("/")[:2])


def kinds(path: str) -> set[str]:
    """The kinds of blocks that a script reads, and those that these are made of."""
    own = {module for module in imported(path) if package(module) == "relearn/params"} - EXEMPT_MODULES
    return own.union(*(kinds(module) for module in own))


@pytest.mark.parametrize(("folder", "name"), EACH)
def test_a_stages_deps_are_its_script_the_packages_it_imports_and_the_kinds_of_blocks_it_reads(folder, name):
    own = f"stages/{script(folder, name)}.py"
    expected = {own} | {package(module) for module in reached(own)} - EXEMPT - {"relearn/params"}
    # Blocks of photographs are made of data sets and recipes, by more than one kind.
    whole = name in READ_ALL or (folder == "photos" and name not in ("download", "gather"))
    expected |= {"relearn/params"} if whole else kinds(own)
    up = "../" if folder else ""
    code = {dep for dep in block(folder, name)["deps"] if dep.removeprefix("../").startswith(("stages/", "relearn/"))}
    assert code == {f"{up}{path}" for path in expected}


@pytest.mark.parametrize("name", sorted(set(PIPELINES[""]) - READ_ALL - READ_NONE))
def test_a_stage_depends_on_its_own_block_of_parameters_and_on_no_other_number_that_it_does_not_read(name):
    stage = block("", name)
    assert BLOCKS.get(name, f"{name}.${{key}}") in stage["params"]
    assert ("scale" in stage["params"]) == (name not in ("download", "fetch"))
    assert "compute" not in stage["params"]
    assert "params.yaml" not in stage["deps"]
    own = f"stages/{script('', name)}.py"
    assert ("compute.strategy" in stage["params"]) == ("compute.scope(" in (ROOT / own).read_text())
    if name not in ("download", "fetch", "relabel", "describe"):  # which copy, look up or count
        assert "compute.precision" in stage["params"]  # it decides the kernels (relearn/data/pins.py)


@pytest.mark.parametrize("name", READ_NONE)
def test_a_stage_that_reads_no_parameters_depends_on_none(name):
    assert "params" not in block("", name)
    assert "params.yaml" not in block("", name)["deps"]
    assert "checks.load" not in (ROOT / f"stages/{name}.py").read_text()


def test_stages_that_tell_of_every_block_depend_on_params_yaml_as_a_file():
    for folder in PIPELINES:
        for name in READ_ALL:
            assert "params.yaml" in block(folder, name)["deps"]


def ids() -> set[str]:
    rows = [row for folder in PIPELINES for row in yaml.safe_load((ROOT / folder / "printed.yaml").read_text())["rows"]]
    return {row["id"] for row in rows}


@pytest.mark.parametrize("id", sorted(ids()))
def test_a_search_for_an_id_finds_the_block_and_the_stage(id):
    folder = "photos" if id[0] in "LQ" else ""
    assert re.search(rf"\b{id}\b", (ROOT / folder / "params.yaml").read_text())
    assert [name for name in PIPELINES[folder] if re.search(rf"\b{id}\b", block(folder, name)["desc"])]


def test_every_stage_says_what_it_does():
    assert all(block(*each)["desc"] for each in EACH)


@pytest.mark.parametrize(("name", "most"), [("dvc.yaml", 450), ("dvc.lock", 7_000)])
def test_what_dvc_reads_and_writes_for_every_stage_stays_short(name, most):
    assert len((ROOT / name).read_text().splitlines()) < most


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
    code = f"import gc, sys; from relearn.networks import engine; print({hidden}); {later}; {collected}"
    assert printed(code) == "[]\nthere True True\n"


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_script_fits_on_a_screen_or_two_and_says_what_it_reads_and_writes(name):
    text = (ROOT / f"stages/{name}.py").read_text()
    assert len(text.splitlines()) <= 140
    about = ast.get_docstring(ast.parse(text)) or ""
    assert f"python -m stages.{name}" in about
    assert "Reads " in about
    assert "Writes " in about


def test_what_dvc_plots_is_an_output():
    settings = yaml.safe_load((ROOT / "params.yaml").read_text())
    made = {
        str(next(iter(out)) if isinstance(out, dict) else out).replace("${key}", key)
        for stage in PIPELINES[""].values()
        for key in (settings[stage["foreach"][2:-1]] if "foreach" in stage else [""])
        for out in stage.get("do", stage).get("outs", [])
    }
    plotted = [plot for plots in yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"] for plot in plots.items()]
    assert len(plotted) > 10
    for name, spec in plotted:
        assert set(spec["y"] if isinstance(spec["y"], dict) else [name]) <= made, name


def test_git_holds_no_output_but_metrics_plots_and_reports():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = ("data/", "models/", "photos/data/", "photos/models/", "photos/plots/gather/", "photos/plots/evaluate/")
    assert not [name for name in listed if name.startswith(folders) and not name.endswith(".gitignore")]
    assert not [name for name in listed if name.endswith((".npy", ".keras", ".npz"))]


def test_what_people_and_programs_leave_behind_is_no_result():
    """Neither a row of `dvc metrics show` nor a photograph, and no reason to run a stage again."""
    junk = (".ipynb_checkpoints/lenet-checkpoint.json", ".DS_Store", "Thumbs.db", "thumbs.db", "desktop.ini", "Desktop.ini",
            "._lenet.json", "lenet.json~", ".lenet.json.swp", "__MACOSX/lenet.json", "@eaDir/lenet.json")  # fmt: skip
    folders = ("metrics/summary", "plots/history", "photos/pets/cat", "photos/data/archives/pets/my dog")
    ours = ["metrics/summary/lenet.json", "photos/pets/cat/desktop.jpg", "photos/pets/cat/~cat.jpg"]
    left = [f"{folder}/{name}" for folder in folders for name in junk]
    asked = subprocess.run(["dvc", "check-ignore", *left, *ours], cwd=ROOT, capture_output=True, text=True)
    assert asked.stdout.splitlines() == left


def test_what_shows_peoples_photographs_is_never_pushed():
    shown = ("data/archives/${key}", "data/${key}", "plots/gather/${key}.png", "plots/evaluate/${key}_head.json",
             "plots/evaluate/${key}_tuned.json")  # fmt: skip
    outs = [out for name in PIPELINES["photos"] for out in block("photos", name).get("outs", [])]
    kept = {path for out in outs if isinstance(out, dict) for path, options in out.items() if options == {"push": False}}
    assert kept == set(shown)


def test_three_models_are_artifacts():
    trained = yaml.safe_load((ROOT / "params.yaml").read_text())["train"]
    paths = {artifact["path"] for artifact in yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"].values()}
    assert paths == {f"models/{key}.keras" for key in ("shallow_adadelta", "vehicles", "lenet")}
    assert {"shallow_adadelta", "vehicles", "lenet"} <= trained.keys()
