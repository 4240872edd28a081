"""Which stages begin first, how long they may take, and what has to run at all."""

import json

import pytest

from relearn.scheduling import plans
from relearn.scheduling.plans import Agenda, Plan

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # DVC's own

#   a (3) --> b (5) --> d (2)
#     \---> c (1) ----/           e (7)
NEEDS = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": []}
SECONDS = {"a": 3.0, "b": 5.0, "c": 1.0, "d": 2.0, "e": 7.0}
PLAN = Plan(NEEDS, SECONDS)


def test_a_stages_rank_is_the_length_of_the_longest_chain_that_begins_with_it():
    assert PLAN.rank() == {"a": 3 + 5 + 2, "b": 5 + 2, "c": 1 + 2, "d": 2, "e": 7}


def test_the_longest_chain_begins_first_and_nothing_before_what_it_waits_for():
    agenda = Agenda(PLAN)
    assert [agenda.begin(), agenda.begin(), agenda.begin()] == ["a", "e", None]
    agenda.done("a")
    assert [agenda.begin(), agenda.begin(), agenda.begin()] == ["b", "c", None]
    agenda.done("b")
    assert agenda.begin() is None
    agenda.done("c")
    assert [agenda.begin(), agenda.begin()] == ["d", None]
    assert not agenda.waits


def test_of_equal_chains_the_first_in_dvcs_order_begins_first():
    agenda = Agenda(Plan({"z": [], "y": [], "x": []}, {"z": 1.0, "y": 1.0, "x": 1.0}))
    assert [agenda.begin(), agenda.begin(), agenda.begin()] == ["z", "y", "x"]


def test_all_that_waits_for_a_failed_stage_is_taken_out_once_and_nothing_else():
    agenda = Agenda(PLAN)
    assert agenda.begin() == "a"
    assert sorted(agenda.failed("a")) == ["b", "c", "d"]
    assert agenda.begin() == "e"
    assert not agenda.waits


def test_a_stage_is_expected_to_take_what_it_took_at_this_scale_and_else_what_its_kind_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plans.note("quick", {"train@a": 3.5, "train@b": 4.5})
    plans.note("quick", {"train@b": 5.5})
    plans.note("book", {"train@a": 9000.0})
    names = ["train@a", "train@b", "train@c", "photos/dvc.yaml:tuned@x", "collect"]
    assert plans.expected("quick", names) == {
        "train@a": 3.5, "train@b": 5.5, "train@c": plans.SECONDS["train"],
        "photos/dvc.yaml:tuned@x": plans.SECONDS["tuned"], "collect": plans.OTHERS,
    }  # fmt: skip
    assert plans.expected("smoke", ["train@a"]) == {"train@a": plans.SECONDS["train"]}


@pytest.mark.parametrize("left", ["", "{"])
def test_seconds_that_cannot_be_read_are_as_if_there_were_none(tmp_path, monkeypatch, left):
    monkeypatch.chdir(tmp_path)
    plans.TOOK.parent.mkdir()
    plans.TOOK.write_text(left)
    assert plans.expected("quick", ["collect"]) == {"collect": plans.OTHERS}
    plans.note("quick", {"collect": 1.5})
    assert json.loads(plans.TOOK.read_text()) == {"quick": {"collect": 1.5}}


PIPELINE = """
stages:
  last: {cmd: cp two last, deps: [two], outs: [last]}
  two: {cmd: cp one two, deps: [one], outs: [two]}
  one: {cmd: cp zero one, deps: [zero], outs: [one]}
  alone: {cmd: echo > alone, outs: [alone]}
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of DVC in which nothing has run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text(PIPELINE)
    (tmp_path / "zero").write_text("0")
    return tmp_path


def test_what_has_to_run_is_what_dvc_says_is_stale_with_all_that_follows(project):
    everything = plans.make(["dvc.yaml"], "quick")
    assert everything.needs == {"one": [], "two": ["one"], "last": ["two"], "alone": []}
    assert list(everything.order) == ["one", "two", "last", "alone"]
    assert plans.make(["two"], "quick").needs == {"one": [], "two": ["one"]}


def test_some_targets_come_in_the_order_that_all_stages_have(project):
    names = [f"stage_{number}" for number in range(30)]
    stages = "\n".join(f"  {name}: {{cmd: echo > {name}, outs: [{name}]}}" for name in names)
    (project / "dvc.yaml").write_text(f"stages:\n{stages}\n")
    everything = plans.make(["dvc.yaml"], "quick").order
    assert sorted(everything) == sorted(names)
    assert list(plans.make(names[::-4], "quick").order) == [name for name in everything if name in names[::-4]]


def test_what_is_up_to_date_has_not_to_run(project):
    from dvc.repo import Repo

    Repo(str(project)).reproduce()
    assert plans.make(["dvc.yaml"], "quick").needs == {}
    assert list(plans.make(["dvc.yaml"], "quick").order) == ["one", "two", "last", "alone"]
    (project / "two").write_text("changed")
    assert plans.make(["dvc.yaml"], "quick").needs == {"two": [], "last": ["two"]}


@pytest.mark.parametrize(
    ("target", "text"), [("nope", PIPELINE), ("dvc.yaml", "stages: {a: {cmd"), ("dvc.yaml", "stages: {a: {}}")]
)
def test_what_dvc_refuses_is_an_error_that_says_why(project, target, text):
    (project / "dvc.yaml").write_text(text)
    with pytest.raises(ValueError, match=r"^DVC: .*(nope|dvc\.yaml)"):
        plans.make([target], "quick")
