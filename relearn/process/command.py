"""Stages and tools as commands: arguments, one message for a mistake, and no process that outlives its DVC."""

import argparse
import errno
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

from relearn.process import lockfile

PARENT_SECONDS = 0.5  # how often a process looks whether its parent still lives
FULL = "The disk is full: make space and run the same command again, it resumes from here."
STARTERS = ("python", "pypy", "dvc", "dask")  # name prefixes of processes that may start a stage, maybe through a shell


def run(main: Callable[..., None]) -> None:
    """Calls a stage's main with the command line's arguments, named as its parameters, and keeps a copy of dvc.lock before.

    Expected errors become one message and exit status 1; wrong arguments show the usage.
    """
    arguments = parser(*inspect.signature(main).parameters).parse_args()
    with told():
        if os.environ.get("DVC_STAGE"):
            threading.Thread(target=lockfile.keep, daemon=True).start()  # another DVC may be writing it for a while
        main(**vars(arguments))


def parser(*positional: str) -> argparse.ArgumentParser:
    """A parser for the module that runs as `__main__`, with its docstring as help, and these arguments."""
    module = sys.modules["__main__"]
    command_line = argparse.ArgumentParser(
        prog=f"python -m {getattr(module.__spec__, 'name', module.__name__)}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name in positional:
        command_line.add_argument(name)
    return command_line


def path(text: str) -> Path:
    """A path of the command line, with a `~` that the shell has not expanded."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - Path's own ends for a `~name` that is nobody's


@contextmanager
def told() -> Iterator[None]:
    """Ends the program with one message when the block raises an expected error."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the same command resumes from here")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        sys.exit("\n".join([f"error: {error}", *[FULL] * full]))
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"error: {error}")


def environment(**more: str) -> dict[str, str]:
    """The environment of this process, with this Python and its DVC first on the PATH, for a `dvc` that we start."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"} | more


@cache
def end_with_parent() -> None:
    """Ends this process soon after the one that started it, however that ended: DVC leaves its stage running when killed."""
    above = psutil.Process().parents()
    count = next((place for place, process in enumerate(above, 1) if process.name().startswith(STARTERS)), 1)

    def watch() -> None:
        while all(map(_lives, above[:count])):
            time.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _use_own_code() -> None:
    """Starts a stage anew with the code of its own project, where DVC runs it in another copy than the installed one.

    A queued experiment of the photographs runs in photos/ of a temporary clone, from which Python would import the
    packages of the project that the virtual environment was set up for. Its DVC_ROOT is the project that it was queued in.
    """
    here = Path.cwd()
    root = next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
    own = root / "relearn/process/command.py"
    if own.is_file() and not own.samefile(__file__):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), os.environ.get("PYTHONPATH"))))
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606


def _use_whole_path() -> None:
    """Makes DATASETS_DIR absolute, where it was given with a `~` or as seen from the project's top."""
    if given := os.environ.get("DATASETS_DIR"):
        os.environ["DATASETS_DIR"] = str(Path(os.environ.get("DVC_ROOT", ""), path(given)).absolute())


_use_whole_path()
if os.environ.get("DVC_STAGE"):
    _use_own_code()
    end_with_parent()  # here and not in `run`: the imports that follow may take seconds
