"""Stages side by side: `python -m tools.repro` in a small made-up project, whose stages wait, write and fail.

Each fixture is a run, or a run that is ended in one way and resumed; tests say what has to be true of it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import yaml

from tests.conftest import ROOT
from tests.support import clones, clusters, fulldisk, torture

PATIENCE = 60  # seconds in which what should happen has to
LOCKS = ("dvc.lock", "photos/dvc.lock")
BOTH = ("dvc.yaml", "photos/dvc.yaml")
CHECKED = ("params.yaml", "printed.yaml", "claims.yaml", "photos/params.yaml", "photos/printed.yaml")
LINES = 300  # that a stage prints when it fails
REPRO = [sys.executable, "-m", "tools.repro"]

# A stage writes its own name and what it has read. It waits while <name>.hold is there, and fails while <name>.fails is.
WORK = f"""
import os, sys, time
from pathlib import Path
from relearn.process import command

def main(name, size):
    top = Path(os.environ["DVC_ROOT"])
    diary("began", name)
    print("this is", name, flush=True)
    while (top / f"{{name}}.hold").exists():
        time.sleep(0.05)
    if (top / f"{{name}}.fails").exists():
        print("\\n".join(f"line {{number}}" for number in range({LINES})))
        raise ValueError(f"{{name}} cannot")
    Path(f"{{name}}.out").write_bytes(name.encode() * int(size))
    diary("ended", name)

def diary(*words):
    with (Path(os.environ["DVC_ROOT"]) / "diary").open("a") as stream:
        print(*words, file=stream)

if __name__ == "__main__":
    command.run(main)
"""
# The short stages come first in DVC's order; the longest chain is first, second, third, report.
MAIN = """
stages:
  short:
    foreach: [x, y, z]
    do:
      cmd: python work.py short_${item} 300000
      deps: [source]
      outs: ["short_${item}.out"]
  first:
    cmd: python work.py first 1
    deps: [source]
    outs: [first.out]
  second:
    cmd: python work.py second 1
    deps: [first.out]
    outs: [second.out]
  third:
    cmd: python work.py third 1
    deps: [second.out]
    outs: [third.out]
  report:
    cmd: python work.py report 1
    deps: [third.out, short_x.out]
    outs: [report.out]
"""
PHOTOS = """
stages:
  report:
    cmd: python ../work.py photos_report 1
    deps: [gather_x.out]
    outs: [photos_report.out]
  gather:
    foreach: [x]
    do:
      cmd: python ../work.py gather_${item} 1
      deps: [../first.out]
      outs: ["gather_${item}.out"]
"""
NAMES = ["short@x", "short@y", "short@z", "first", "second", "third", "report"]


@dataclass
class Project:
    """The made-up project in a folder."""

    folder: Path

    def __post_init__(self) -> None:
        for name, text in {
            ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n", "source": "first", "work.py": WORK,
            "dvc.yaml": MAIN, "photos/dvc.yaml": PHOTOS, **{name: (ROOT / name).read_text() for name in CHECKED},
        }.items():  # fmt: skip
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    def start(self, *arguments: str) -> "Run":
        """`tools.repro` in a process group of its own, as a terminal gives it; this project's code, whatever is installed."""
        log = self.folder / f"{time.monotonic_ns()}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen([*REPRO, "--jobs", "2", *arguments], cwd=self.folder, env=environment(), stdout=stream,
                                       stderr=subprocess.STDOUT, start_new_session=True,
                                       preexec_fn=torture.interruptible)  # fmt: skip
        return Run(process, log)

    def run(self, *arguments: str) -> "Run":
        run = self.start(*arguments)
        run.process.wait(PATIENCE)
        return run

    def hold(self, name: str) -> None:
        (self.folder / f"{name}.hold").touch()

    def release(self, name: str) -> None:
        (self.folder / f"{name}.hold").unlink()

    def diary(self) -> list[str]:
        """What stages have noted, such as `began first`."""
        path = self.folder / "diary"
        return path.read_text().splitlines() if path.is_file() else []

    def wait_for(self, *noted: str) -> None:
        wait_for(lambda: set(noted) <= set(self.diary()))

    def locks(self) -> list[bytes]:
        return [(self.folder / name).read_bytes() for name in LOCKS]


@dataclass
class Run:
    """A `tools.repro` that was started; what had to be gone when it had ended."""

    process: "subprocess.Popen[bytes]"
    log: Path
    others: list[psutil.Process] = field(default_factory=list)

    @property
    def output(self) -> str:
        return self.log.read_text()

    def begun(self) -> list[str]:
        return [line.split()[1] for line in self.output.splitlines() if line.endswith(" begins")]

    def below(self) -> list[psutil.Process]:
        """Its workers, their stages and whatever else it has started."""
        self.others = psutil.Process(self.process.pid).children(recursive=True)
        return self.others

    def alive(self) -> list[psutil.Process]:
        return psutil.wait_procs(self.others, timeout=PATIENCE)[1]


def environment() -> dict[str, str]:
    return clones.environment(PYTHONPATH=str(ROOT))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def process_of(stage: str, processes: list[psutil.Process]) -> psutil.Process:
    """The process of a stage, whose parent is its worker."""
    return next(process for process in processes if f"work.py {stage} " in " ".join(process.cmdline()))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Both dvc.lock files as `dvc repro` writes them."""
    project = Project(tmp_path_factory.mktemp("expected"))
    subprocess.run(["dvc", "repro", "-q", *BOTH], cwd=project.folder, env=environment(), check=True, capture_output=True)
    return project.locks()


@dataclass
class Whole:
    """A run of everything, in which a worker was killed at `first` when only that was left to wait for; and one beside it."""

    project: Project
    run: Run
    beside: Run
    begun: list[str]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    project = Project(tmp_path_factory.mktemp("whole"))
    project.hold("first")
    run = project.start(*BOTH)
    project.wait_for("began first", "ended short_x", "ended short_y", "ended short_z")
    begun = run.begun()
    beside = project.run()
    first = process_of("first", run.below())
    first.parent().kill()
    assert not psutil.wait_procs([first], timeout=PATIENCE)[1]
    wait_for(lambda: project.diary().count("began first") == 2)
    project.release("first")
    run.process.wait(PATIENCE)
    return Whole(project, run, beside, begun)


def test_the_longest_chain_begins_first_and_no_stage_waits_for_a_busy_worker_while_another_is_free(whole):
    assert whole.begun == ["first", "short@x", "short@y", "short@z"]


def test_a_stage_whose_worker_is_killed_runs_again_and_all_ends_well(whole):
    assert whole.run.process.returncode == 0
    assert whole.project.diary().count("began first") == 2
    assert whole.project.diary().count("ended first") == 1


def test_stages_side_by_side_end_with_the_lock_files_of_dvc_repro(whole, expected):
    assert whole.project.locks() == expected


def test_each_stage_prints_to_a_file_of_its_own(whole):
    logs = {path.stem: path.read_text() for path in (whole.project.folder / "logs/repro").glob("*.log")}
    assert logs.keys() == {*NAMES, "photos.gather@x", "photos.report"}
    for name in ("first", "short@y"):
        assert f"\nthis is {name.replace('@', '_')}\n" in logs[name]
    assert "\nthis is photos_report\n" in logs["photos.report"]
    assert "this is" not in whole.run.output


def test_a_second_run_at_the_same_time_is_refused_in_a_line(whole):
    assert whole.beside.process.returncode == 1
    assert whole.beside.output == "error: another `make repro` is running here: wait for it, or end it first\n"


def test_with_nothing_to_do_no_cluster_is_started(whole):
    code = "import sys; from tools import repro; repro.main(['dvc.yaml']); print('distributed' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=whole.project.folder, env=environment(), capture_output=True, text=True
    )
    assert done.stdout.endswith("\nEverything is up to date.\nFalse\n")


@pytest.fixture(scope="module")
def failing(whole: Whole) -> Run:
    """A run in which two of four stages that are stale fail, and the others give what they gave before."""
    (whole.project.folder / "source").write_text("changed")
    for name in ("short_x", "short_y"):
        (whole.project.folder / f"{name}.fails").touch()
    return whole.project.run()


def test_all_that_a_failed_stage_has_printed_is_shown(failing):
    lines = failing.output.splitlines()
    place = next(place for place, line in enumerate(lines) if " short@x FAILED after " in line)
    shown = [line for line in lines[place:] if line.startswith("line ")][:LINES]
    assert shown == [f"line {number}" for number in range(LINES)]
    assert "error: short_x cannot" in lines


def test_what_depends_on_a_failed_stage_is_left_out_and_the_others_go_on(failing):
    assert set(failing.begun()) == set(NAMES) - {"report"}
    assert "short@z took" in failing.output


def test_a_stage_whose_inputs_come_out_the_same_is_up_to_date(failing, whole):
    assert "second is up to date" in failing.output
    assert whole.project.diary().count("began second") == 1


def test_the_end_names_what_failed_with_its_log_and_what_was_left_out(failing):
    assert failing.process.returncode == 1
    told = failing.output[failing.output.index("error: short@") :].removeprefix("error: ").splitlines()
    reason = "failed: failed to run: python work.py {} 300000, exited with 1; what it printed is in logs/repro/{}.log"
    assert sorted(told) == sorted([
        f"short@x {reason.format('short_x', 'short@x')}", f"short@y {reason.format('short_y', 'short@y')}",
        "left out, as they depend on what failed: report",
    ])  # fmt: skip


def test_a_target_that_there_is_not_is_an_error_in_a_line(whole):
    run = whole.project.run("nope")
    assert run.process.returncode == 1
    *checked, error = run.output.splitlines()
    assert [line.partition(" is valid: ")[0] for line in checked] == ["params.yaml", "photos/params.yaml"]
    assert error.startswith("error: DVC: ")
    assert "nope" in error


@dataclass
class Resumed:
    """A project whose run was ended in three ways, each time when `first` or `second` was still held; and the end."""

    project: Project
    lost: Run
    interrupted: Run
    killed: Run
    last: Run
    on_cluster: list[str]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Resumed:
    place = tmp_path_factory.mktemp("resumed")
    project = Project(place / "project")
    (place / "cluster").mkdir()
    project.hold("first")
    project.hold("short_y")
    with clusters.started(place / "cluster") as cluster:
        lost = project.start("--scheduler", cluster.address, *BOTH)
        project.wait_for("began first", "ended short_x", "began short_y")
        lost.others = [child for each in cluster.workers.values() for child in psutil.Process(each.pid).children(recursive=True)]
        parents = {process_of(name, lost.others).parent().ppid() for name in ("first", "short_y")}
        on_cluster = [name for name, each in cluster.workers.items() if each.pid in parents]
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        lost.process.wait(PATIENCE)
        psutil.wait_procs(lost.others, timeout=PATIENCE)
    project.release("short_y")
    interrupted = ended(project, lambda run: os.killpg(run.process.pid, signal.SIGINT), "ended short_y", "ended short_z")
    project.release("first")
    project.hold("second")
    killed = ended(project, lambda run: run.process.kill(), "began second", "ended gather_x")
    project.release("second")
    return Resumed(project, lost, interrupted, killed, project.run(*BOTH), on_cluster)


def ended(project: Project, end: Callable[[Run], None], *noted: str) -> Run:
    """A run that was ended when stages had noted this and DVC had, too."""
    run = project.start(*BOTH)
    project.wait_for(*noted)
    wait_for(lambda: f"{noted[-1].split()[1].replace('_', '@')} took" in run.output)
    run.below()
    end(run)
    run.process.wait(PATIENCE)
    run.alive()
    return run


def test_a_cluster_runs_stages_in_its_workers(resumed):
    assert sorted(resumed.on_cluster) == ["worker0", "worker1"]


def test_a_scheduler_that_is_lost_is_told_in_a_line_and_no_stage_goes_on(resumed):
    assert resumed.lost.process.returncode == 1
    assert resumed.lost.output.splitlines()[-1] == "error: the scheduler was lost; the same command resumes from here"
    assert "Traceback" not in resumed.lost.output
    assert resumed.lost.alive() == []


def test_ctrl_c_ends_all_processes_and_is_told_in_a_line(resumed):
    assert resumed.interrupted.process.returncode == 1
    assert resumed.interrupted.output.splitlines()[-1] == "interrupted: the same command resumes from here"
    assert "Traceback" not in resumed.interrupted.output
    assert resumed.interrupted.alive() == []


def test_no_process_outlives_a_killed_run(resumed):
    assert resumed.killed.alive() == []


def test_what_had_ended_before_a_run_was_ended_is_not_run_again(resumed):
    assert [resumed.project.diary().count(f"ended {name}") for name in ("short_x", "short_y", "short_z", "first")] == [1] * 4


def test_a_run_that_was_ended_three_times_ends_with_the_lock_files_of_dvc_repro(resumed, expected):
    assert resumed.last.process.returncode == 0, resumed.last.output
    assert resumed.project.locks() == expected


def test_a_lock_that_a_kill_cut_off_is_put_back_before_anything_runs(tmp_path, expected):
    project = Project(tmp_path)
    assert project.run(*BOTH).process.returncode == 0
    lock = tmp_path / "dvc.lock"
    lock.write_text(lock.read_text()[:-100])
    run = project.run(*BOTH)
    assert run.output.splitlines()[2] == "dvc.lock: was cut off; put back as it was before the last stage"
    assert run.process.returncode == 0
    assert [yaml.safe_load(lock) for lock in project.locks()] == [yaml.safe_load(lock) for lock in expected]


SCRIPT = """
set -e
mount -t tmpfs -o size={small} tmpfs {disk}
cp -a {folder}/. {disk}/
cd {disk}
{repro} > {log}.full 2>&1 && exit 3
mount -o remount,size=1g {disk}
{repro} > {log}.again 2>&1
cp dvc.lock {log}.lock
"""


def test_a_full_disk_is_told_and_the_same_command_resumes_when_there_is_room(tmp_path, expected):
    if not fulldisk.can_mount():
        pytest.skip("no file system in memory can be mounted here")
    project, log, disk = Project(tmp_path / "project"), tmp_path / "log", tmp_path / "disk"
    disk.mkdir()
    script = SCRIPT.format(small=2**22, disk=disk, folder=project.folder, log=log, repro=" ".join([*REPRO, "--jobs", "2", *BOTH]))
    done = subprocess.run([*fulldisk.APART, "sh", "-c", script], env=environment(), capture_output=True, text=True)
    told = Path(f"{log}.full").read_text()
    assert done.returncode == 0, told + done.stderr
    failed = [line for line in told.splitlines() if " FAILED after " in line]
    assert failed
    assert all("No space left on device" in line or "exited with 1" in line for line in failed)
    assert "The disk is full: make space and run the same command again" in told
    assert "Traceback" not in told
    assert Path(f"{log}.lock").read_bytes() == expected[0]
