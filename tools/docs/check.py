"""Check the built pages: every link, image and anchor leads somewhere, and nothing is loaded from another host."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


@dataclass
class _Page(HTMLParser):
    """What a page links to, what it loads, and the anchors it has."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors.update(values[name] for name in ("id", "name") if name in values)
        if "href" in values:
            loaded = tag == "link" and values.get("rel") in ("stylesheet", "preconnect", "icon", "preload")
            (self.loads if loaded else self.links).append(values["href"])
        if "src" in values:
            self.loads.append(values["src"])


def broken_links(site: Path) -> list[str]:
    """What does not work in a built site.

    Parameters
    ----------
    site
        Folder of HTML pages.

    Returns
    -------
    list[str]
        `PAGE: LINK: what is wrong`, sorted by page.
    """
    pages = {path: _parsed(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    problems = []
    for path, page in pages.items():
        name = path.relative_to(site)
        problems += [f"{name}: {url}: loaded from another host" for url in page.loads if urlsplit(url).netloc]
        for url in dict.fromkeys(page.links + page.loads):
            if problem := _problem(url, path, pages):
                problems.append(f"{name}: {url}: {problem}")
    return problems


def _parsed(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text("utf-8"))
    return page


def _problem(url: str, path: Path, pages: dict[Path, _Page]) -> str:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return ""
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_file():
        return "no such file"
    known = target not in pages or not parts.fragment or unquote(parts.fragment) in pages[target].anchors
    return "" if known else "no such anchor"
