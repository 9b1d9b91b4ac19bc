"""What tests of pages in a real browser share."""

import time
from typing import Any

import pytest

WAIT_MS = 240_000
"""After which a page counts as stuck, on a machine however busy."""
SIZES = {"desk": (1280, 900), "phone": (390, 780)}


def page_of(browser: Any, size: str = "desk", **options: Any) -> Any:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, has_touch=size == "phone", **options)
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.problems = []
    page.on("console", lambda message: page.problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.problems.append(str(error)))
    return page


def send(page: Any, selector: str) -> None:
    """Click on what sends a form, and wait for the page that answers it."""
    with page.expect_navigation():
        page.click(selector)


def wait_until(page: Any, expression: str, argument: object = None) -> None:
    """Ask a page until an expression is true: its own waiting evaluates text in the page, which our security headers forbid."""
    end = time.monotonic() + WAIT_MS / 1000
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"{expression}: not true within {WAIT_MS / 1000:.0f} s on {page.url}"
        page.wait_for_timeout(20)


def checked(page: Any) -> None:
    """No violation of WCAG 2.1 AA, nothing wider than the window, no error in the console."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    found = axe.Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.problems == []
