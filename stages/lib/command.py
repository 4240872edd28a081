"""A stage as a command: its mistakes become one message, and under DVC it never outlives the DVC that started it."""

import errno
import inspect
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import cache

import psutil

from stages.lib import lockfile

PARENT_SECONDS = 0.5  # how often a process looks whether its parent still lives
STARTERS = ("python", "pypy", "dvc")  # names of programs begin so that start a stage or a worker; between them is a shell


def run(main: Callable[..., None]) -> None:
    """Calls a stage's main with the command line's arguments; expected errors become one message and exit 1."""
    try:
        if os.environ.get("DVC_STAGE"):
            lockfile.keep()
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the same command goes on from here")
    except OSError as error:
        cure = "\nThe disk is full: make space and run the same command again, it goes on from here."
        sys.exit(f"error: {error}{cure if error.errno in (errno.ENOSPC, errno.EDQUOT) else ''}")
    except (ValueError, FloatingPointError) as error:
        sys.exit(f"error: {error}")
    except TypeError:
        if inspect.getfullargspec(main).varargs:
            raise
        names = [name for name in main.__annotations__ if name != "return"]
        if len(sys.argv) - 1 == len(names):
            raise
        usage = " ".join(f"<{name}>" for name in names)
        name = getattr(sys.modules["__main__"].__spec__, "name", main.__module__)
        sys.exit(f"error: usage: python -m {name} {usage}".rstrip())


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


if os.environ.get("DVC_STAGE"):
    end_with_parent()  # here and not in `run`: the imports that follow may take seconds
