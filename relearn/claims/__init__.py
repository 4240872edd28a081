"""The chapters' claims: what claims.yaml says, put to the test on results/book."""
