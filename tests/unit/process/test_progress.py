import sys

from relearn.process.progress import Progress


def test_progress_is_plain_lines_when_the_output_is_no_terminal(capsys):
    list(Progress(range(3), desc="jobs"))
    shown = capsys.readouterr().err
    assert "jobs: 100%" in shown
    assert "\r" not in shown
    assert "" not in shown.rstrip("\n").split("\n")
    assert not sys.stderr.isatty()
