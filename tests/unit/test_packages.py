"""Every package is pinned with its hashes, in every list, and installed only when they are right."""

import re

import pytest

from tests.conftest import ROOT

LOCKS = sorted(path.stem for path in ROOT.glob("requirements*.in"))


def pins(path):
    """The hashes of each package and version that a requirements file pins."""
    hashes = {}
    for line in path.read_text().replace("\\\n", " ").splitlines():
        if match := re.match(r"([\w.-]+)==([^\s;]+)", line):
            package = re.sub(r"[-_.]+", "-", match[1]).lower()
            hashes[package, match[2]] = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", line)
    return hashes


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_with_hashes_and_the_lock_is_of_its_list(name):
    lock = ROOT / f"{name}.txt"
    pinned, common = pins(lock), pins(ROOT / "requirements.txt")
    assert len(pinned) == len(re.findall(r"^\w", lock.read_text(), re.MULTILINE))
    assert all(pinned.values())
    assert pins(ROOT / f"{name}.in").keys() <= pinned.keys()
    both = {package for package, _ in pinned} & {package for package, _ in common}
    assert all(common[pin] == hashes for pin, hashes in pinned.items() if pin[0] in both)


def test_packages_are_installed_with_their_hashes_checked():
    """All but the project itself, which has no hash."""
    makefile = (ROOT / "Makefile").read_text()
    assert makefile.count("pip install") == 1
    assert re.search(r"^INSTALL := \$\(PIP\) --require-hashes$", makefile, re.MULTILINE)
    installs = re.findall(r"^\t.*?\$\((INSTALL|PIP)\) (.*)", makefile, re.MULTILINE)
    assert [options for how, options in installs if how == "PIP"] == ["--no-deps --editable ."]
    assert {f"-r {name}.txt" for name in LOCKS} <= {options for how, options in installs if how == "INSTALL"}
