"""Results shared through a remote: what one pushes another pulls, over connections that break, from disks that err."""

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.pipeline.conftest import Clone
from tests.pipeline.loopback import BreakingProxy, Sshd
from tests.pipeline.test_repro import ran
from tests.support import clones, samples

# What runs in seconds, without TensorFlow. The other stages are taken out: `dvc pull` complains of outputs that are not there.
FEW = {"download": {"mnist": {}}, "relabel": {"mnist_in_order": {"images": "mnist"}}, "classify": {"raw": {"features": "mnist"}}}
OF_PHOTOGRAPHS = {"list": {"cmd": "mkdir -p data/listed && ls data/my_photos > data/listed/names", "deps": ["data/my_photos"],
                           "outs": ["data/listed"]}}  # fmt: skip
FOLDERS = ("data/mnist", "data/views/mnist_in_order", "photos/data/listed")
PHOTOGRAPHS = ("photos/data/my_photos", "photos/plots/gather")  # never pushed
LARGE = "data/mnist/train_images.npy"  # 47 MB
VIEW = "data/views/mnist_in_order"
PIPELINES = ("dvc.yaml", "photos/dvc.yaml")
LIMITS = (2_000, 10_000_000, 40_000_000)  # bytes: while keys are exchanged, and early and late in the large file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("server"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def owner(tmp_path_factory, datasets) -> Clone:
    """A clone with results of both pipelines, committed."""
    pictures = samples.folder(tmp_path_factory.mktemp("pictures"))
    clone = Clone(
        tmp_path_factory.mktemp("owner"), datasets, photos=lambda raw: samples.prune(raw, str(pictures), {"my_photos": "frozen"})
    )
    path = clone.folder / "dvc.yaml"
    stages = yaml.safe_load(path.read_text())["stages"]
    few = {name: stages[name] | {"foreach": experiments} for name, experiments in FEW.items()}
    path.write_text(yaml.safe_dump({"stages": few, "metrics": ["metrics/classify/raw.json"]}, sort_keys=False))
    path = clone.folder / "photos/dvc.yaml"
    gather = {"gather": yaml.safe_load(path.read_text())["stages"]["gather"]}
    path.write_text(yaml.safe_dump({"stages": gather | OF_PHOTOGRAPHS}))
    for pipeline in PIPELINES:
        clone.run("dvc", "repro", pipeline)
    clone.commit("results")
    return clone


def make(*words: str) -> tuple[str, ...]:
    """A make command that installs nothing and finds the tests' own Python and DVC on the PATH."""
    return ("make", "VENV=none", "-o", "none/.installed", "-o", "none/.installed-remote", *words)


@pytest.fixture(scope="module")
def store(owner, server) -> Path:
    """The folder of a remote, set up with the README's command, into which the owner has pushed."""
    owner.run(*make("remote", f"URL={server.url('store')}"))
    owner.commit("a remote")
    configure(owner, keyfile=server.key)
    owner.run("dvc", "push")
    return server.folder / "store"


@pytest.fixture
def colleague(owner, store, server, tmp_path) -> Clone:
    """Another clone, without cache."""
    return configure(owner.cloned(tmp_path / "colleague"), keyfile=server.key)


def configure(clone: Clone, **options: object) -> Clone:
    """Writes what `dvc remote modify --local` would, in place of what was there, and keeps the clone's own cache."""
    lines = ["['remote \"storage\"']", *(f"    {name} = {value}" for name, value in options.items())]
    (clone.folder / ".dvc/config.local").write_text("\n".join(lines) + "\n" + clones.OWN_CACHE)
    return clone


def pull(clone: Clone) -> None:
    clone.run(*make("pull"))


def objects(folder: Path) -> set[str]:
    """Names of the objects of a cache or remote, each of which is what its name says."""
    names = set()
    for path in filter(Path.is_file, (folder / "files/md5").rglob("*")):
        if path.suffix != ".tmp":  # DVC's name for what is on its way
            names.add(name := path.parent.name + path.name)
            assert name.removesuffix(".dir") == md5(path)
    return names


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def cache(clone: Clone) -> Path:
    return clone.folder / ".dvc/cache"


def tracked(clone: Clone, folders: Iterable[str] = FOLDERS) -> dict[str, str]:
    """The files that DVC keeps in these folders, each with its hash."""
    files = [path for folder in folders for path in (clone.folder / folder).rglob("*") if path.name != ".gitignore"]
    return {path.relative_to(clone.folder).as_posix(): md5(path) for path in files if path.is_file()}


def assert_same_results(colleague: Clone, owner: Clone) -> None:
    """But for the photographs, which no one pushes; nothing has to run again for want of them."""
    assert {LARGE, f"{VIEW}/view.json", "photos/data/listed/names"} < tracked(owner).keys()
    assert tracked(colleague) == tracked(owner)
    for pipeline in PIPELINES:
        lock = pipeline.replace(".yaml", ".lock")
        assert (colleague.folder / lock).read_bytes() == (owner.folder / lock).read_bytes()
        assert ran(colleague.run("dvc", "repro", "--allow-missing", pipeline).stdout) == []
    assert colleague.run("dvc", "status", "dvc.yaml").stdout == "Data and pipelines are up to date.\n"
    assert colleague.run("dvc", "metrics", "diff").stdout.strip() == ""
    assert colleague.run("git", "status", "--porcelain").stdout == ""


def test_what_one_pushes_another_pulls(owner, colleague):
    pull(colleague)
    assert_same_results(colleague, owner)


def test_no_photograph_is_ever_pushed(owner, tmp_path):
    configure(owner, url=tmp_path / "remote", verify="true")
    for inside in ("", "photos"):
        owner.run("dvc", "push", "--remote", "storage", inside=inside)
    photographs = {*tracked(owner, PHOTOGRAPHS).values(), listing(owner, "data/my_photos", "photos/dvc.lock")}
    assert "photos/plots/gather/my_photos.png" in tracked(owner, PHOTOGRAPHS)
    assert photographs < objects(cache(owner))
    assert objects(tmp_path / "remote") == objects(cache(owner)) - photographs
    checked = owner.run("python", "-m", "tools.check_remote", "--remote", "storage").stdout
    assert checked == f"storage: {len(objects(tmp_path / 'remote'))} objects, each as its hash says\n", "of which none is missing"


RUNS = {
    "dvc.yaml": ("params.yaml", lambda raw: raw["relabel"]["mnist_in_order"]["train_images"].update(smoke=300)),
    "photos/dvc.yaml": ("photos/params.yaml", lambda raw: raw["datasets"]["my_photos"].update(side=80)),
}


@pytest.mark.parametrize("pipeline", RUNS)
def test_a_cleaned_cache_keeps_the_results_of_both_pipelines(owner, tmp_path, pipeline):
    """After another run in one of them, cleaned from its folder: what that run replaced is gone."""
    shutil.copytree(owner.folder, tmp_path / "copy", symlinks=True)
    clone = Clone.there(tmp_path / "copy", owner.datasets)
    file, change = RUNS[pipeline]
    clones.rewrite(clone.folder / file, change)
    assert ran(clone.run("dvc", "repro", pipeline).stdout)
    before, results = objects(cache(clone)), tracked(clone, (*FOLDERS, *PHOTOGRAPHS))
    clone.run("dvc", "gc", "-w", "-f", inside=pipeline.removesuffix("dvc.yaml"))
    assert objects(cache(clone)) < before
    for folder in (*FOLDERS, *PHOTOGRAPHS):
        shutil.rmtree(clone.folder / folder)
    clone.run("dvc", "checkout")
    assert tracked(clone, (*FOLDERS, *PHOTOGRAPHS)) == results


def test_the_same_by_s3(owner, store, tmp_path):
    s3 = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    s3.start()
    try:
        endpoint = "http://{}:{}".format(*s3.get_host_and_port())
        login = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **login).create_bucket(Bucket="results")
        options = {"endpointurl": endpoint, "access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}
        configure(owner, url="s3://results/relearn", **options).run("dvc", "push")
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


def test_a_push_resumes_after_cut_connections(owner, store, server):
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
    configure(owner, url=server.url("often_cut"), keyfile=server.key).run("dvc", "push")
    assert objects(remote) == objects(store)


def test_a_pull_resumes_after_cut_connections(owner, colleague, store, server):
    for limit in LIMITS:
        proxy = BreakingProxy(server.port, limit, "pull")
        configure(colleague, url=server.url("store", proxy.port), keyfile=server.key)
        done = colleague.run("dvc", "pull", "dvc.yaml", check=False)
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
    place = listing.rindex(b'"md5": "') + 8
    return listing[:place] + (b"1" if listing[place : place + 1] == b"0" else b"0") + listing[place + 1 :]


class Damage:
    """An object in the folder of a remote, changed for a while."""

    def __init__(self, store: Path, oid: str, change: Callable[[bytes], bytes]) -> None:
        self.path = store / "files/md5" / oid[:2] / oid[2:]
        self.content = self.path.read_bytes()
        assert change(self.content) != self.content
        self.path.write_bytes(change(self.content))

    def undo(self) -> None:
        self.path.write_bytes(self.content)


def listing(clone: Clone, folder: str, lock: str = "dvc.lock") -> str:
    """The object that lists the files of an output."""
    stages = yaml.safe_load((clone.folder / lock).read_text())["stages"].values()
    return next(out["md5"] for stage in stages for out in stage["outs"] if out["path"] == folder)


@pytest.mark.parametrize("file", ["data/mnist/test_labels.npy", "photos/data/listed/names"])
def test_a_damaged_object_is_noticed_and_named_and_stays_out(owner, colleague, store, file):
    oid, output = md5(owner.folder / file), file.rpartition("/")[0]
    for change in (flipped, cut_off):
        damage = Damage(store, oid, change)
        try:
            done = colleague.run(*make("pull"), check=False)
            checked = colleague.run("python", "-m", "tools.check_remote", check=False)
        finally:
            damage.undo()
        assert done.returncode != 0
        assert f"error: {output}: not here as dvc.lock has it" in done.stderr
        assert oid not in objects(cache(colleague))
        assert not (colleague.folder / file).exists()
        assert checked.returncode == 1
        assert checked.stdout == f"damaged: {file}, object {oid[:2]}/{oid[2:]}\n"
    pull(colleague)
    assert tracked(colleague) == tracked(owner)


def test_without_the_tool_a_damaged_object_stays_out_and_its_output_is_named(owner, colleague, store):
    file = "data/mnist/test_labels.npy"
    damage = Damage(store, md5(owner.folder / file), flipped)
    try:
        done = colleague.run("dvc", "pull", check=False)
    finally:
        damage.undo()
    assert done.returncode != 0
    assert "data/mnist\n" in done.stderr
    assert not (colleague.folder / "data/mnist").exists()


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
    pull(colleague)
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
