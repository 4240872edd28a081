"""Results shared through a remote: what one pushes another pulls, over connections that break, from disks that err."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.pipeline.conftest import Clone
from tests.pipeline.loopback import BreakingProxy, Sshd
from tests.pipeline.test_repro import ran
from tests.support import samples

# What runs in seconds, without TensorFlow. The other stages are taken out: `dvc pull` complains of outputs that nobody has made.
FEW = {"download": {"mnist": {}}, "relabel": {"mnist_in_order": {"images": "mnist"}}, "classify": {"raw": {"features": "mnist"}}}
FOLDERS = ("data/mnist", "data/views/mnist_in_order", "photos/data/my_photos", "photos/plots/gather")
LARGE = "data/mnist/train_images.npy"  # 47 MB
VIEW = "data/views/mnist_in_order"
LIMITS = (2_000, 10_000_000, 40_000_000)  # bytes: while keys are exchanged, and early and late in the large file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def owner(tmp_path_factory, datasets) -> Clone:
    """A clone with results of both pipelines, committed."""
    clone = Clone(tmp_path_factory.mktemp("owner"), datasets)
    path = clone.folder / "dvc.yaml"
    stages = yaml.safe_load(path.read_text())["stages"]
    few = {name: stages[name] | {"foreach": experiments} for name, experiments in FEW.items()}
    path.write_text(yaml.safe_dump({"stages": few, "metrics": ["metrics/classify/raw.json"]}, sort_keys=False))
    path = clone.folder / "photos/dvc.yaml"
    path.write_text(yaml.safe_dump({"stages": {"gather": yaml.safe_load(path.read_text())["stages"]["gather"]}}))
    path = clone.folder / "photos/params.yaml"
    raw = yaml.safe_load(path.read_text())
    pictures = tmp_path_factory.mktemp("pictures")
    samples.prune(raw, str(samples.folder(pictures)), {"my_photos": "frozen"})
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    clone.run("dvc", "repro")
    clone.run("dvc", "repro", inside="photos")
    clone.commit("results")
    return clone


def make(*words: str) -> tuple[str, ...]:
    """A make command that installs nothing and finds the tests' own Python and DVC on the PATH."""
    return ("make", "VENV=none", "-o", "none/.installed", "-o", "none/.installed-remote", *words)


@pytest.fixture(scope="module")
def store(owner, server) -> Path:
    """The folder of a remote, set up with the README's command, into which the owner has pushed both pipelines."""
    owner.run(*make("remote", f"URL={server.url('store')}"))
    owner.commit("a remote")
    configure(owner, keyfile=server.key)
    push(owner)
    return server.folder / "store"


@pytest.fixture
def colleague(owner, store, server, tmp_path) -> Clone:
    """Another clone, without cache."""
    return configure(owner.cloned(tmp_path / "colleague"), keyfile=server.key)


def configure(clone: Clone, **options: object) -> Clone:
    """Writes what `dvc remote modify --local` would, for both pipelines, in place of what was there."""
    lines = ["['remote \"storage\"']", *(f"    {name} = {value}" for name, value in options.items())]
    for pipeline in (".", "photos"):
        (clone.folder / pipeline / ".dvc/config.local").write_text("\n".join(lines) + "\n")
    return clone


def push(clone: Clone) -> None:
    clone.run("dvc", "push")
    clone.run("dvc", "--cd", "photos", "push")


def pull(clone: Clone) -> None:
    clone.run("dvc", "pull")
    clone.run("dvc", "--cd", "photos", "pull")


def objects(folder: Path) -> set[str]:
    """Names of the objects of a cache or remote, each of which is what its name says."""
    found = set()
    for path in filter(Path.is_file, (folder / "files/md5").rglob("*")):
        if path.suffix != ".tmp":  # DVC's name for what is on its way
            found.add(name := path.parent.name + path.name)
            assert name.removesuffix(".dir") == md5(path)
    return found


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def cache(clone: Clone) -> Path:
    return clone.folder / ".dvc/cache"


def tracked(clone: Clone) -> dict[str, str]:
    """The files that DVC keeps, each with its hash."""
    files = [path for folder in FOLDERS for path in (clone.folder / folder).rglob("*") if path.name != ".gitignore"]
    return {path.relative_to(clone.folder).as_posix(): md5(path) for path in files if path.is_file()}


def assert_same_results(colleague: Clone, owner: Clone) -> None:
    assert {LARGE, f"{VIEW}/view.json", "photos/plots/gather/my_photos.png"} < tracked(owner).keys()
    assert tracked(colleague) == tracked(owner)
    for pipeline in (".", "photos"):
        assert (colleague.folder / pipeline / "dvc.lock").read_bytes() == (owner.folder / pipeline / "dvc.lock").read_bytes()
        assert colleague.run("dvc", "status", inside=pipeline).stdout == "Data and pipelines are up to date.\n"
    assert colleague.run("dvc", "metrics", "diff").stdout.strip() == ""
    assert colleague.run("git", "status", "--porcelain").stdout == ""


def test_what_one_pushes_another_pulls(owner, colleague):
    colleague.run(*make("pull"))
    colleague.run(*make("pull", "PIPELINE=photos"))
    assert_same_results(colleague, owner)


def test_the_same_by_s3(owner, store, tmp_path):
    s3 = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    s3.start()
    try:
        endpoint = "http://{}:{}".format(*s3.get_host_and_port())
        login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **login).create_bucket(Bucket="results")
        options = {"endpointurl": endpoint, "access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}
        push(configure(owner, url="s3://results/relearn", **options))
        colleague = configure(owner.cloned(tmp_path / "colleague"), url="s3://results/relearn", **options)
        pull(colleague)
        assert_same_results(colleague, owner)
    finally:
        s3.stop()


def test_final_results_do_without_the_data_that_they_were_made_of(owner, store, server, tmp_path):
    """The owner pushes no more than a view, the colleague pulls what there is, and nothing is run again."""
    configure(owner, url=server.url("part"), keyfile=server.key)
    owner.run("dvc", "push", "relabel@mnist_in_order")
    colleague = configure(owner.cloned(tmp_path / "colleague"), url=server.url("part"), keyfile=server.key)
    assert "data/mnist" in colleague.run("dvc", "pull", check=False).stderr
    colleague.run("dvc", "pull", "--allow-missing")
    assert (colleague.folder / VIEW / "view.json").is_file()
    assert not (colleague.folder / "data/mnist").exists()
    assert ran(colleague.run("dvc", "repro", "--allow-missing").stdout) == []
    assert colleague.run("git", "status", "--porcelain").stdout == ""


def test_a_push_goes_on_after_cut_connections(owner, store, server):
    remote = server.folder / "often_cut"
    for limit in LIMITS:
        proxy = BreakingProxy(server.port, limit, "push")
        configure(owner, url=server.url("often_cut", proxy.port), keyfile=server.key)
        done = owner.run("dvc", "push", check=False)
        assert proxy.broken
        assert done.returncode != 0
        assert "ERROR" in done.stderr
        assert md5(owner.folder / LARGE) not in objects(remote)
    halves = [path.stat().st_size for path in remote.rglob("*.tmp")]
    assert 0 < max(halves) < (owner.folder / LARGE).stat().st_size
    push(configure(owner, url=server.url("often_cut"), keyfile=server.key))
    assert objects(remote) == objects(store)


def test_a_pull_goes_on_after_cut_connections(owner, colleague, store, server):
    for limit in LIMITS:
        proxy = BreakingProxy(server.port, limit, "pull")
        configure(colleague, url=server.url("store", proxy.port), keyfile=server.key)
        done = colleague.run("dvc", "pull", check=False)
        assert proxy.broken
        assert done.returncode != 0
        assert "ERROR" in done.stderr
        assert md5(owner.folder / LARGE) not in objects(cache(colleague))
        assert tracked(colleague) == {}
    pull(configure(colleague, keyfile=server.key))
    assert objects(cache(colleague)) == objects(store)
    assert tracked(colleague) == tracked(owner)


def flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def cut_off(content: bytes) -> bytes:
    return content[: len(content) // 2]


def renamed(listing: bytes) -> bytes:
    return listing.replace(b"view.json", b"wiew.json")


def redirected(listing: bytes) -> bytes:
    found = listing.rindex(b'"md5": "') + 8
    return listing[:found] + (b"1" if listing[found : found + 1] == b"0" else b"0") + listing[found + 1 :]


class Damage:
    """An object in the folder of a remote, changed for a while."""

    def __init__(self, store: Path, oid: str, change: Callable[[bytes], bytes]) -> None:
        self.path = store / "files/md5" / oid[:2] / oid[2:]
        self.content = self.path.read_bytes()
        assert change(self.content) != self.content
        self.path.write_bytes(change(self.content))

    def undo(self) -> None:
        self.path.write_bytes(self.content)


def listing(clone: Clone, folder: str) -> str:
    """The object that lists the files of an output."""
    stages = yaml.safe_load((clone.folder / "dvc.lock").read_text())["stages"].values()
    return next(out["md5"] for stage in stages for out in stage["outs"] if out["path"] == folder)


def test_a_damaged_object_is_noticed_and_named_and_stays_out(owner, colleague, store):
    file = "data/mnist/test_labels.npy"
    oid = md5(owner.folder / file)
    for change in (flipped, cut_off):
        damage = Damage(store, oid, change)
        try:
            done = colleague.run("dvc", "pull", check=False)
            checked = colleague.run("python", "-m", "tools.check_remote", check=False)
        finally:
            damage.undo()
        assert done.returncode != 0
        assert "data/mnist\n" in done.stderr
        assert oid not in objects(cache(colleague))
        assert not (colleague.folder / "data/mnist").exists()
        assert checked.returncode == 1
        assert checked.stdout == f"damaged: {file}, object {oid[:2]}/{oid[2:]}\n"
    pull(colleague)
    assert tracked(colleague) == tracked(owner)


def test_a_damaged_listing_of_a_folder_is_named_before_it_is_followed(owner, colleague, store):
    oid = listing(owner, VIEW)
    for change in (flipped, cut_off, renamed, redirected):
        damage = Damage(store, oid, change)
        try:
            done = colleague.run(*make("pull"), check=False)
        finally:
            damage.undo()
        assert done.returncode != 0
        assert f"damaged: {VIEW}/ (the listing of its files), object {oid[:2]}/{oid[2:]}\n" in done.stdout
        assert tracked(colleague) == {}


def test_whoever_followed_a_damaged_listing_gets_away_from_it(owner, colleague, store):
    damage = Damage(store, listing(owner, VIEW), redirected)
    try:
        for _ in range(2):  # the second fetches nothing and ends in an error: then DVC keeps the listing that it has read
            assert colleague.run("dvc", "pull", check=False).returncode != 0
    finally:
        damage.undo()
    colleague.run(*make("pull"))
    colleague.run("dvc", "--cd", "photos", "pull")
    assert tracked(colleague) == tracked(owner)


def test_a_damaged_remote_is_mended_by_whoever_has_the_results(owner, store, server):
    before = objects(store)
    file = f"{VIEW}/view.json"
    damage = Damage(store, md5(owner.folder / file), flipped)
    configure(owner, keyfile=server.key)
    done = owner.run("python", "-m", "tools.check_remote", "--remove", check=False)
    assert f"damaged: {file}" in done.stdout
    assert not damage.path.exists()
    owner.run("dvc", "push")
    assert objects(store) == before
    whole = owner.run("python", "-m", "tools.check_remote").stdout
    assert whole.startswith("storage: ")
    assert whole.endswith(" objects, each as its hash says\n")


def test_a_remote_that_is_not_re_hashed_is_an_error(colleague, server):
    configure(colleague, verify="false", keyfile=server.key)
    done = colleague.run("python", "-m", "tools.check_remote", "--listings", check=False)
    assert done.returncode == 1
    assert done.stderr == "error: what is pulled from storage is not re-hashed: `dvc remote modify storage verify true`\n"


def test_a_remote_that_cannot_be_reached_is_one_line(colleague, server):
    configure(colleague, url=server.url("store", port=9), keyfile=server.key)
    done = colleague.run("python", "-m", "tools.check_remote", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: storage cannot be reached: ")
    assert len(done.stderr.splitlines()) == 1
