"""Put what the chapters claim to the test on the results at the books' own protocols.

    python -m stages.claims

Reads  claims.yaml; results/book/seed_*/ (not of the scale at hand, nor of params.yaml)
Writes metrics/claims.json: a verdict for each claim
"""

from collections import Counter
from dataclasses import asdict
from pathlib import Path

from relearn.claims.judging import verdicts
from relearn.data import records
from relearn.process import command

RESULTS = Path("results/book")


def main() -> None:
    found = verdicts(RESULTS)
    rows = [asdict(verdict) for verdict in found]
    records.write_json(Path("metrics/claims.json"), {row.pop("id"): row for row in rows})
    counts = Counter(verdict.verdict for verdict in found)
    print(f"{len(found)} claims: {', '.join(f'{count} {name}' for name, count in counts.most_common())}")


if __name__ == "__main__":
    command.run(main)
