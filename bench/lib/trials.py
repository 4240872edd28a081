"""Ways of doing the same work, measured side by side: each in processes of its own, in turn, A B A B ..."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from types import MappingProxyType
from typing import Any, NamedTuple

Work = Callable[[], Any]
_work: Work  # of the process that has prepared it


class Way(NamedTuple):
    """make(*arguments) prepares the work and warms it up; what it gives is called once a repeat, in `at_once` processes.

    environment: what these processes have of their own in it.
    """

    make: Callable[..., Work]
    arguments: tuple[Any, ...] = ()
    at_once: int = 1
    environment: Mapping[str, str] = MappingProxyType({})


class Turns(NamedTuple):
    """Wall-clock seconds of each way's work, turn by turn, and how many cores its processes kept busy meanwhile."""

    seconds: dict[str, list[float]]
    cores: dict[str, list[float]]


def interleaved(ways: Mapping[str, Way], repeats: int, label: str) -> Turns:
    """Each way's work, measured `repeats` times in turn.

    Every way has processes of its own, since TensorFlow takes its precision, threads and determinism once; those whose turn
    it is not wait. Preparation is not measured.
    """
    turns = Turns({name: [] for name in ways}, {name: [] for name in ways})
    with contextlib.ExitStack() as stack:
        pools = {name: [stack.enter_context(_pool()) for _ in range(way.at_once)] for name, way in ways.items()}
        for name, way in ways.items():
            with _environment(way.environment):  # in which the processes start
                _in_all(pools[name], _prepare, way.make, way.arguments)
        for _ in range(repeats):
            for name, own in pools.items():
                seconds, busy = zip(*_in_all(own, _timed), strict=True)
                turns.seconds[name].append(max(seconds))
                turns.cores[name].append(sum(busy) / max(seconds))
    for name in ways:
        figures = zip(turns.seconds[name], turns.cores[name], strict=True)
        print(f"  {label}, {name}: {', '.join(f'{second:.2f} s x {cores:.1f} cores' for second, cores in figures)}", flush=True)
    return turns


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """function(*arguments), called in a fresh process."""
    with _pool() as pool:
        return pool.submit(function, *arguments).result()


def times(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """How many times as fast as `theirs` `ours` is: the median of the ratios of each repeat, the lowest and the highest."""
    ratios = [their / our for our, their in zip(ours, theirs, strict=True)]
    return {"median": median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_hush)


def _hush() -> None:
    """Keeps the lines of trainings, also those of their workers, from between the figures; errors come as exceptions."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(nowhere, descriptor)


def _in_all(pools: Sequence[ProcessPoolExecutor], function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """function(*arguments) in each pool, at the same time."""
    return [future.result() for future in [pool.submit(function, *arguments) for pool in pools]]


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _prepare(make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    global _work
    _work = make(*arguments)


def _timed() -> tuple[float, float]:
    started, busy = time.perf_counter(), time.process_time()
    _work()
    return time.perf_counter() - started, time.process_time() - busy
