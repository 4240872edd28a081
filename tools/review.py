"""Say what a branch changes: parameters, code, metrics and plots. Nothing is run again.

    python -m tools.review [--html review.html] [--check] BASE

Reads  dvc.yaml, dvc.lock, params.yaml, metrics/ and plots/ of the working tree and of commit BASE, here and in photos/
Writes Markdown for a pull request to the standard output, and one page with the plots of both sides to review.html

Ends with 1 when --check is given and a dvc.lock is stale, with 2 when the review cannot be made.
"""

import logging
import os
import sys
from pathlib import Path

from dvc.exceptions import DvcException

from relearn.data import places
from relearn.process import command
from relearn.review import changes, pairs, wording


def main(arguments: list[str] | None = None) -> int:
    parser = command.parser()
    parser.add_argument("base", help="branch, tag or commit that the working tree is compared with")
    parser.add_argument("--html", type=command.path, default=Path("review.html"), help="the page that is written (%(default)s)")
    parser.add_argument("--check", action="store_true", help="end with 1 when a dvc.lock is stale")
    options = parser.parse_args(arguments)
    page = options.html.absolute()
    os.chdir(places.top())
    logging.getLogger("dvc").setLevel(logging.ERROR)
    try:
        base = changes.commit(options.base)
        pipelines = changes.since(base)
        behind = changes.missing_commits(base)
    except (changes.ReviewError, DvcException) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    drawings = {each.folder: [pairs.draw(plot) for plot in each.plots] for each in pipelines}
    facts = {"base": options.base, "behind": behind, "pipelines": pipelines, "drawings": drawings, "page": page.name}
    with command.told():
        page.write_text(wording.render("review.html.j2", facts) + "\n")
    print(wording.render("review.md.j2", facts))
    return int(options.check and any(each.stale for each in pipelines))


if __name__ == "__main__":
    sys.exit(main())
