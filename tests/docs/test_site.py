import re
from pathlib import Path

import pytest

from dermsynth.cli.app import app
from tests.docs.blocks import PAGES, ROOT

pytest.importorskip("zensical", reason="needs the extra docs")

from tools.docs.check import broken_links
from tools.docs.command_pages import command_pages
from tools.docs.site import PAGES as STAGED
from tools.docs.site import SITE, SiteError, build, stage


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "build"
    stage(ROOT, folder)
    build(folder)
    return folder


def test_the_site_is_built_without_a_warning_and_every_link_leads_somewhere(site: Path) -> None:
    assert broken_links(site / SITE) == []
    for page in (site / STAGED).rglob("*.md"):
        assert _built(site, page.relative_to(site / STAGED)).stat().st_size > 0


def _built(site: Path, page: Path) -> Path:
    """The HTML page of a Markdown page."""
    return site / SITE / page.with_name("index.html" if page.name == "README.md" else f"{page.stem}.html")


def test_a_mark_is_seen_by_the_reader(site: Path) -> None:
    marked = [page for page in PAGES if page.is_relative_to(ROOT / "docs") and "<!-- not run: " in page.read_text()]
    assert marked
    for page in marked:
        assert "Not run by the tests: " in _built(site, page.relative_to(ROOT / "docs")).read_text("utf-8")


def test_every_verb_and_flag_is_in_the_reference() -> None:
    text = "".join(command_pages().values())
    whole = app.generate_docs(output_format="markdown", recursive=True)
    assert set(re.findall(r"`[^`]*--[\w-]+[^`]*`", whole)) <= set(re.findall(r"`[^`]*--[\w-]+[^`]*`", text))
    assert set(re.findall(r"^dermsynth .+$", whole, re.M)) - {"dermsynth COMMAND"} <= set(text.splitlines())


@pytest.mark.parametrize(
    "line",
    ["[a page](nowhere.md)", "[a heading](formats.md#nowhere)", "[a name][dermsynth.nowhere]", "::: dermsynth.nowhere"],
)
def test_a_broken_link_or_reference_fails(line: str, tmp_path: Path) -> None:
    (tmp_path / "mkdocs.yml").write_text((ROOT / "mkdocs.yml").read_text().partition("nav:")[0] + _small_nav())
    (tmp_path / "docs").mkdir()
    (tmp_path / "src").symlink_to(ROOT / "src")
    (tmp_path / "docs" / "index.md").write_text(f"# Start\n\n{line}\n")
    (tmp_path / "docs" / "formats.md").write_text("# Formats\n")
    (tmp_path / "docs" / "site.css").touch()
    stage(tmp_path, tmp_path / "build")
    with pytest.raises(SiteError, match="nowhere"):
        build(tmp_path / "build")


def _small_nav() -> str:
    return "nav: [{Start: index.md}, {Formats: formats.md}, {Commands: commands}, {Python: api}, {Speed: speed.md}]\n"


def test_a_page_in_no_navigation_and_a_missing_one_fail(tmp_path: Path) -> None:
    settings = (ROOT / "mkdocs.yml").read_text().partition("nav:")[0]
    (tmp_path / "mkdocs.yml").write_text(settings + _small_nav())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# Start\n")
    with pytest.raises(SiteError, match=r"do not exist: formats\.md"):
        stage(tmp_path, tmp_path / "build")
    for name in ("formats.md", "hidden.md"):
        (tmp_path / "docs" / name).write_text("# A page\n")
    with pytest.raises(SiteError, match=r"does not name: hidden\.md"):
        stage(tmp_path, tmp_path / "build")


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="gone.html">x</a>', "no such file"),
        ('<a href="#gone">x</a>', "no such anchor"),
        ('<script src="https://cdn.example/x.js"></script>', "another host"),
    ],
)
def test_the_built_pages_are_checked(html: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(f"<h1 id='top'>x</h1><a href='index.html#top'>x</a>{html}")
    assert [problem in line for line in broken_links(tmp_path)] == [True]
