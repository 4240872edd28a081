"""The chapters' claims: what claims.yaml says, put to the test on results/book."""

from relearn.claims.judging import Verdict, verdicts

__all__ = ["Verdict", "verdicts"]
