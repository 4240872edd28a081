"""Say what a branch changes: parameters, code, metrics and plots. Nothing is run again.

    python -m tools.review [--html review.html] [--check] <branch, tag or commit to compare with>

Reads  dvc.yaml, dvc.lock, params.yaml, metrics/ and plots/ of the working tree and of that commit, in every DVC project
       of this Git repository
Writes Markdown for a pull request to the standard output, and one page with the plots of both sides to review.html

Ends with 1 when --check is given and a dvc.lock is stale, with 2 when the review cannot be made.
"""

import argparse
import logging
import sys
from pathlib import Path

from dvc.exceptions import DvcException

from relearn.review import changes, pairs, wording


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0], prog="python -m tools.review")
    parser.add_argument("base", help="branch, tag or commit that the working tree is compared with")
    parser.add_argument("--html", type=Path, default=Path("review.html"), help="the page that is written (%(default)s)")
    parser.add_argument("--check", action="store_true", help="end with 1 when a dvc.lock is stale")
    asked = parser.parse_args(arguments)
    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        base = changes.commit(asked.base)
        files = changes.changed_files(base)
        found = [changes.between(base, folder, files) for folder in changes.pipelines()]
        behind = changes.missing_commits(base)
    except (changes.ReviewError, DvcException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    drawings = {each.folder: [pairs.draw(plot) for plot in each.plots] for each in found}
    facts = {"base": asked.base, "behind": behind, "pipelines": found, "drawings": drawings, "page": asked.html.name}
    asked.html.write_text(wording.render("review.html.j2", facts) + "\n")
    print(wording.render("review.md.j2", facts))
    return int(asked.check and any(each.stale for each in found))


if __name__ == "__main__":
    sys.exit(main())
