"""Made-up results of seeds, in the layout of results/book, and claims about them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from relearn.claims.judging import Verdict, verdicts


class Results:
    """A folder of results that a test writes, and its claims."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.claims: dict[str, dict[str, Any]] = {}

    def metrics(self, seed: int | str, name: str, **record: Any) -> None:
        self._write(f"seed_{seed}/metrics/{name}.json", json.dumps(record))

    def params(self, seed: int, **blocks: Any) -> None:
        self._write(f"seed_{seed}/params.yaml", yaml.safe_dump(blocks))

    def table(self, seed: int, name: str, header: str, *rows: str) -> None:
        self._write(f"seed_{seed}/plots/{name}.csv", "\n".join((header, *rows)) + "\n")

    def scored(self, seed: int, key: str, answers: str) -> None:
        """The predictions of a network, `cc cd dd`: each image's class and the network's answer, and its accuracies."""
        rows = [(pair[0], pair[1]) for pair in answers.split()]
        share = {name: [a == b for a, b in rows if a == name] for name in {a for a, _ in rows}}
        accuracies = {f"accuracy_{name}": round(sum(each) / len(each), 6) for name, each in share.items()}
        overall = round(sum(a == b for a, b in rows) / len(rows), 6)
        self.metrics(seed, f"evaluate/{key}", images=len(rows), accuracy=overall, **accuracies)
        self.table(seed, f"confusion/{key}", "actual,predicted", *(f"{a},{b}" for a, b in rows))

    def claim(self, key: str = "it", **fields: Any) -> None:
        """Adds a claim; by default that network a is better than network b."""
        about = {"chapter": "K1", "claim": "A is better", "where": "a chapter", "says": "above"}
        if "first" not in fields:
            about |= {"first": "evaluate/a.accuracy", "second": "evaluate/b.accuracy"}
        self.claims[key] = about | fields

    def verdicts(self) -> dict[str, Verdict]:
        self._write("claims.yaml", yaml.safe_dump({"claims": self.claims}, sort_keys=False))
        return {verdict.id: verdict for verdict in verdicts(self.folder, self.folder / "claims.yaml")}

    def verdict(self, **fields: Any) -> Verdict:
        """The verdict on one claim."""
        self.claims.clear()
        self.claim(**fields)
        return self.verdicts()["it"]

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)
