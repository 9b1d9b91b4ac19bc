"""`python -m tools.docs`: build the documentation site into build/docs/site; a broken link or reference fails."""

import sys
from pathlib import Path

from tools.docs.check import broken_links
from tools.docs.site import SITE, SiteError, build, stage


def main() -> None:
    """Generate the reference pages, build strictly, and check every link of the built pages."""
    root = Path(__file__).parents[2]
    folder = root / "build" / "docs"
    try:
        stage(root, folder)
        build(folder)
    except SiteError as error:
        sys.exit(f"docs: {error}")
    problems = broken_links(folder / SITE)
    if problems:
        sys.exit("docs: broken links in the built pages:\n" + "\n".join(problems))
    print(f"docs: {folder / SITE / 'index.html'}")


main()
