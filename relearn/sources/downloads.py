"""Files from other machines, one at a time: whatever the other side does, a fetch ends, and its file has an end.

What fetches is a client in a process group of its own: a package manager, or `get` below for an address. Time is kept
from outside, since a host can hold a client up in many ways (headers, redirects or trailers without end). When the
stage is gone, however it went, its end of a pipe closes, and the group ends by itself.
"""

import contextlib
import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urljoin

from relearn.process.progress import LINE_SECONDS, Progress

CONNECT_SECONDS = 20  # without a byte for so long, a host counts as down
PATIENCE_SECONDS = 60  # from then on a host must have given SLOWEST bytes a second on average
SLOWEST = 20_000
ADDRESS_SECONDS = 3 * 3600  # for one file; 1 GiB at 100 kB/s
PACKAGE_SECONDS = 900  # for a package client, which retries by itself
FILE_LIMIT = 2**30  # bytes of any file that a client writes; the largest that params.yaml names has 825 MB
REDIRECT_LIMIT = 5
BLOCK = 2**16  # bytes
TICK_SECONDS = 0.2
PARTIAL = "partial-"  # begins a scratch folder's name; the process's number goes on
ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
CALL = "import sys; sys.path.insert(0, sys.argv[1]); from relearn.sources import downloads; downloads.{}(*sys.argv[2:])"


class DownloadError(ValueError):
    """A file could not be had."""


def from_address(url: str, path: Path, limit: int | None = None) -> None:
    """Fetches `url` into `path`, with a progress bar. Nothing is checked but that it is whole and within `limit` bytes.

    Raises DownloadError when the host fails, answers with too much or too slowly, or sends from place to place.
    """

    def too_slow(elapsed: float) -> str:
        size = path.stat().st_size if path.is_file() else 0
        return f"gave {size:,} bytes in {elapsed:.0f} s" if elapsed > PATIENCE_SECONDS and size < SLOWEST * elapsed else ""

    limits = map(str, (limit or FILE_LIMIT, REDIRECT_LIMIT, CONNECT_SECONDS))
    _run([*_guarded("get"), url, str(path), *limits], path.name, ADDRESS_SECONDS, too_slow, bar=True)


def by_client(command: Sequence[str]) -> None:
    """Runs a package client, saying now and then that it runs. Raises DownloadError with its last line when it fails."""
    _run([*_guarded("call"), str(FILE_LIMIT), *command], Path(command[0]).name, PACKAGE_SECONDS)


@contextlib.contextmanager
def scratch(folder: Path) -> Iterator[Path]:
    """A folder of this process inside `folder`, which is made, for files that are not whole yet; removed at the end.

    What killed processes have left there is removed, too; that of one that runs stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob(f"{PARTIAL}*"):
        process = left.name.removeprefix(PARTIAL).partition("-")[0]
        if not (process.isdigit() and _lives(int(process))):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=f"{PARTIAL}{os.getpid()}-") as mine:
        yield Path(mine)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def get(url: str, path: str, limit: str, redirects: str, seconds: str) -> None:
    """What `from_address` runs: ends with one line for what went wrong."""
    _guard(int(limit))
    try:
        _get(url, Path(path), int(limit), int(redirects), float(seconds))
    except Exception as error:  # requests, urllib3 and http.client raise anything
        print(_last_line(f"{error}") or type(error).__name__, flush=True)
        sys.exit(1)


def call(limit: str, *command: str) -> None:
    """What `by_client` runs, in turn the package client."""
    _guard(int(limit))
    code = subprocess.run(command, stdin=subprocess.DEVNULL).returncode
    sys.exit(f"a file of more than {int(limit):,} bytes" if code == -signal.SIGXFSZ else code)


def _guard(limit: int) -> None:
    """Bounds each file that this process and its children write, and ends them all when standard input closes."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    def until_the_stage_is_gone() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=until_the_stage_is_gone, daemon=True).start()


def _guarded(function: str) -> list[str]:
    return [PYTHON, "-P", "-c", CALL.format(function), str(ROOT)]


def _run(
    command: Sequence[str], name: str, seconds: float, trouble: Callable[[float], str] = lambda elapsed: "", bar: bool = False
) -> None:
    """Runs a client to its end, which comes after `seconds`, or when `trouble` (of the seconds so far) names one."""
    start, next_line = time.monotonic(), LINE_SECONDS
    with tempfile.TemporaryFile() as output:
        errors = None if bar else subprocess.STDOUT
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=errors, start_new_session=True)
        try:
            while _runs_on(client):
                elapsed = time.monotonic() - start
                if reason := trouble(elapsed):
                    raise DownloadError(f"too slow: {reason}")
                if elapsed > seconds:
                    raise DownloadError(f"{name} did not end in {seconds:g} s")
                if elapsed > next_line and not bar:
                    print(f"  still fetching, {elapsed:.0f} s", flush=True)
                    next_line += LINE_SECONDS
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nothing of the group is left
                os.killpg(client.pid, signal.SIGKILL)
            client.wait()
        if client.returncode:
            output.seek(max(0, output.seek(0, os.SEEK_END) - BLOCK))
            last = _last_line(output.read().decode(errors="replace"))
            if os.strerror(errno.ENOSPC) in last or "ENOSPC" in last:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)
            raise DownloadError(last if bar and last else f"{name} ended with {client.returncode}: {last or 'no output'}")


def _runs_on(client: subprocess.Popen[bytes]) -> bool:
    try:
        client.wait(TICK_SECONDS)
    except subprocess.TimeoutExpired:
        return True
    return False


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _get(url: str, path: Path, limit: int, redirects: int, seconds: float) -> None:
    import requests  # here, since the watcher can do without

    class Session(requests.Session):  # type: ignore[misc]
        """Leaves redirects to us: requests would read the whole body of each into memory."""

        def get_redirect_target(self, resp: object) -> None:
            return None

    with Session() as session:
        for _ in range(redirects + 1):
            response = session.get(url, stream=True, timeout=seconds, headers={"Accept-Encoding": "identity"})
            if (target := requests.Session.get_redirect_target(session, response)) is None:
                break
            response.close()
            url = urljoin(url, target)
        else:
            raise DownloadError(f"more than {redirects} redirects")
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        expected = int(length) if length.isdigit() else None
        if expected is not None and expected > limit:
            raise DownloadError(f"would be {expected:,} bytes, more than {limit:,}")
        size = 0
        with path.open("wb") as stream, Progress(total=expected, unit="B", unit_scale=True, desc=path.name) as bar:
            while block := response.raw.read1(BLOCK, decode_content=False):
                if (size := size + len(block)) > limit:
                    raise DownloadError(f"does not end after {limit:,} bytes")
                stream.write(block)
                stream.flush()  # from outside the size is looked at
                bar.update(len(block))
