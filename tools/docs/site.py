"""Build the documentation site: copy the pages, add the generated ones, run zensical strictly."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.docs.api_pages import api_pages
from tools.docs.command_pages import command_pages

PAGES = "pages"
SITE = "site"
GENERATED = {"commands": command_pages, "api": api_pages}
SPEED = "speed.md"
MARK = re.compile(r"<!-- not run: (.+?) -->")
BENCH = re.compile(r"(?:\.\./)+bench/results/\w+\.md")


class SiteError(Exception):
    """A page that is missing, or a build that failed."""


def stage(root: Path, folder: Path) -> None:
    """Write into `folder` all that zensical reads: pages, generated references, and the configuration that names them.

    Raises
    ------
    SiteError
        A page of the navigation is missing, or a page is in no navigation.
    """
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root / "docs", folder / PAGES)
    for name, pages in GENERATED.items():
        (folder / PAGES / name).mkdir()
        for file, text in pages().items():
            (folder / PAGES / name / file).write_text(text, encoding="utf-8")
    (folder / PAGES / SPEED).write_text(_speed_page(root / "bench" / "results"), encoding="utf-8")
    for page in (folder / PAGES).rglob("*.md"):
        text = MARK.sub(r"*Not run by the tests: \1.*", page.read_text("utf-8"))
        page.write_text(BENCH.sub(SPEED, text), encoding="utf-8")
    settings = yaml.safe_load((root / "mkdocs.yml").read_text("utf-8"))
    settings["nav"] = [_expanded(entry, folder / PAGES) for entry in settings["nav"]]
    _check_navigation(settings["nav"], folder / PAGES)
    _point_to_sources(settings, root)
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def build(folder: Path) -> None:
    """Run zensical; each of its warnings is an error.

    Raises
    ------
    SiteError
        With what zensical prints.
    """
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(folder / "mkdocs.yml")]
    environment = {**os.environ, "NO_COLOR": "1"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    if result.returncode:
        lines = re.sub(r"\x1b\[[\d;]*m", "", result.stdout + result.stderr)
        raise SiteError(f"zensical build --strict failed:\n{lines.partition('Traceback')[0] or lines}")


def _speed_page(results: Path) -> str:
    """All files of `bench/results` on one page."""
    texts = []
    for path in sorted(results.glob("*.md")):
        preface, heading, rest = re.split(r"^(## .+)$", path.read_text("utf-8"), maxsplit=1, flags=re.MULTILINE)
        texts += [heading, preface.strip(), rest.strip()]
    return "\n\n".join(["# Speed\n\nMeasured by `make bench`.", *texts, ""])


def _expanded(entry: dict[str, Any], pages: Path) -> dict[str, Any]:
    """A section of the navigation; one that names a generated folder gets the folder's pages."""
    ((title, content),) = entry.items()
    if not isinstance(content, str) or content not in GENERATED:
        return entry
    names = sorted(path.name for path in (pages / content).glob("*.md") if path.name != "index.md")
    return {
        title: [
            {"Overview": f"{content}/index.md"},
            *({name.removesuffix(".md"): f"{content}/{name}"} for name in names),
        ]
    }


def _check_navigation(nav: list[Any], pages: Path) -> None:
    listed = set(_files(nav))
    present = {path.relative_to(pages).as_posix() for path in pages.rglob("*.md")}
    if missing := sorted(listed - present):
        raise SiteError(f"mkdocs.yml names pages that do not exist: {', '.join(missing)}")
    if hidden := sorted(present - listed):
        raise SiteError(f"pages that nav in mkdocs.yml does not name: {', '.join(hidden)}")


def _files(nav: object) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [file for part in parts for file in _files(part)]  # type: ignore[attr-defined]


def _point_to_sources(settings: dict[str, Any], root: Path) -> None:
    """Paths of the configuration, from where it is copied to."""
    settings["docs_dir"], settings["site_dir"] = PAGES, SITE
    for plugin in settings["plugins"]:
        if isinstance(plugin, dict) and "mkdocstrings" in plugin:
            plugin["mkdocstrings"]["handlers"]["python"]["paths"] = [str(root / "src")]
